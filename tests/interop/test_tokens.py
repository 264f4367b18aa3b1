"""Access tokens and audit checkpoints, checked and made with PyPI joserfc."""

import base64
import json
import os
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

ALGORITHMS = ["EdDSA", "HS256", "RS256", "ES256", "none"]
# Headers of any length and name can be signed: whether they are sensible is for the other side to say.
LENIENT = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
LENIENT.max_header_length = 4096


@pytest.fixture(scope="module")
def keys(platform):
    return KeySet.import_key_set(platform.published_keys())


@pytest.fixture(scope="module")
def token(platform):
    return platform.sign_in(platform.sign_up("tokens-owner"))["accessToken"]


@pytest.fixture(scope="module")
def signer():
    """The platform's own key: what it signs can be wrong in everything but the signature."""
    secret = Path(os.environ["MAINSHEET_DATA_DIR"], "keys", "access.secret").read_bytes()
    seed = HKDF(SHA256(), 32, salt=b"mainsheet", info=b"mainsheet signing key access").derive(secret)
    raw = (serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "d": b64(private.private_bytes(*raw)), "x": b64(public)})


@pytest.fixture
def right(keys, token):
    """Header and claims of a token that is right."""
    decoded = jwt.decode(token, keys, algorithms=["EdDSA"])
    return decoded.header, decoded.claims


@pytest.fixture
def status(platform):
    """The status of a request with a token."""
    return lambda made: platform.call("GET", "/me", token=made)[0]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def made(header, claims, key):
    """A token by joserfc, whatever it says."""
    return jws.serialize_compact(header, json.dumps(claims), key, algorithms=ALGORITHMS, registry=LENIENT)


def test_an_access_token_is_signed_by_a_published_key(keys, token):
    decoded = jwt.decode(token, keys, algorithms=["EdDSA"])
    assert decoded.header["typ"] == "at+jwt"
    assert decoded.claims["exp"] - decoded.claims["iat"] == 15 * 60
    assert not {"roles", "permissions", "scope", "email"} & decoded.claims.keys()


def test_a_changed_token_is_refused_by_both_sides(platform, keys, token, status):
    head, _, signature = token.split(".")
    other = platform.sign_in(platform.sign_up("tokens-other"))["accessToken"].split(".")[1]
    forged = ".".join([head, other, signature])
    with pytest.raises(BadSignatureError):
        jwt.decode(forged, keys, algorithms=["EdDSA"])
    assert status(forged) == 401


def test_a_token_that_joserfc_made_with_the_platforms_key_is_as_good_as_its_own(signer, right, status):
    assert status(made(*right, signer)) == 200


def test_times_may_be_off_by_a_minute_and_no_more(platform, signer, right, status):
    header, claims = right
    now = int(platform.advance_clock(0))
    # Half a minute for the request itself.
    assert status(made(header, {**claims, "iat": now + 55}, signer)) == 200
    assert status(made(header, {**claims, "iat": now + 90}, signer)) == 401
    assert status(made(header, {**claims, "iat": now - 1000, "exp": now - 61}, signer)) == 401


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "sid", "iat", "exp"])
def test_a_token_without_a_claim_is_refused(signer, right, status, claim):
    header, claims = right
    assert status(made(header, {name: value for name, value in claims.items() if name != claim}, signer)) == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "mainsheet-mail"},
        {"aud": ["somebody", "else"]},
        {"iss": "https://issuer.example"},
        {"sub": "0" * 20},
        {"exp": "never"},
    ],
)
def test_a_token_for_somebody_else_is_refused(signer, right, status, wrong):
    header, claims = right
    assert status(made(header, {**claims, **wrong}, signer)) == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"typ": "JWT"},
        {"typ": "audit-checkpoint+jwt"},
        {"kid": "a foreign one"},
        {"jku": "https://keys.example/jwks.json"},
        {"x5u": "https://keys.example/chain.pem"},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"], "exp": 0},
    ],
)
def test_a_header_that_leads_elsewhere_is_refused_though_the_signature_is_right(signer, right, status, wrong):
    header, claims = right
    assert status(raw({**header, **wrong}, claims, signer)) == 401


def raw(header, claims, key):
    """A token with a header that joserfc itself may not sign, such as an extension it does not know."""
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(key.private_key.sign(signed.encode()))}"


def test_a_key_in_the_header_is_refused_even_if_it_is_the_right_one(signer, right, status):
    header, claims = right
    own = OKPKey.generate_key("Ed25519")
    for key in [signer, own]:
        bare = {**header, "jwk": key.as_dict(private=False)}
        assert status(made(bare, claims, key)) == 401
        assert status(made({**bare, "kid": key.thumbprint()}, claims, key)) == 401


def test_another_key_under_a_published_id_is_refused(right, status):
    header, claims = right
    assert status(made(header, claims, OKPKey.generate_key("Ed25519"))) == 401


def test_algorithms_are_not_confused(platform, right, status):
    header, claims = right
    published = [key for key in platform.published_keys()["keys"] if key["kid"] == header["kid"]][0]
    # What everybody can read, as the secret of an HMAC.
    for secret in [published["x"], json.dumps(published), base64.urlsafe_b64decode(published["x"] + "=")]:
        assert status(made({**header, "alg": "HS256"}, claims, OctKey.import_key(secret))) == 401
    assert status(made({**header, "alg": "RS256"}, claims, RSAKey.generate_key(2048))) == 401
    assert status(made({**header, "alg": "ES256"}, claims, ECKey.generate_key("P-256"))) == 401
    unsigned = made({**header, "alg": "none"}, claims, OctKey.generate_key())
    assert unsigned.endswith(".") and status(unsigned) == 401
    for alg in ["None", "NONE", "nOnE"]:
        assert status(f"{b64(json.dumps({**header, 'alg': alg}).encode())}.{unsigned.split('.')[1]}.") == 401


def test_private_parts_are_not_published(platform):
    for key in platform.published_keys()["keys"]:
        assert "d" not in key and key["kty"] == "OKP" and key["kid"]


def test_the_head_of_the_audit_trail_is_signed_by_a_published_key(platform, keys, token):
    # What is too young for a block is sealed by the scheduler's next tick.
    platform.advance_clock(180)
    head = platform.expect(200, "GET", "/org/audit-log/checkpoint", token=token)
    signed = jwt.decode(head["checkpoint"], keys, algorithms=["EdDSA"])
    assert signed.header["typ"] == "audit-checkpoint+jwt"
    assert {name: signed.claims[name] for name in ["blocks", "records", "sha256"]} == {
        name: head[name] for name in ["blocks", "records", "sha256"]
    }
    assert platform.call("GET", "/me", token=head["checkpoint"])[0] == 401


def test_rotated_keys_sign_what_is_new_and_leave_what_is_signed_good(start):
    platform, stop = start()
    email = platform.sign_up("rotation-owner")
    before = platform.sign_in(email)["accessToken"]
    platform.expect(202, "POST", "/auth/login/code", {"email": email})
    code = re.search(r"^\s*(\d{6})\s*$", platform.newest_mail(email), re.MULTILINE).group(1)
    stop()
    platform, _ = start("--rotate-keys")
    platform.expect(200, "POST", "/auth/login/code/verify", {"email": email, "code": code})
    after = platform.sign_in("rotation-owner@example.com")["accessToken"]
    keys = KeySet.import_key_set(platform.published_keys())
    kids = [jwt.decode(token, keys, algorithms=["EdDSA"]).header["kid"] for token in [before, after]]
    assert kids[0] != kids[1]
    for token in [before, after]:
        assert platform.call("GET", "/me", token=token)[0] == 200
    # Once nothing that the key before signed can be good any more, it is not published any more.
    platform.advance_clock(3 * 24 * 3600)
    assert kids[0] not in [key["kid"] for key in platform.published_keys()["keys"]]
