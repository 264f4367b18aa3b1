"""Access tokens and audit checkpoints checked with PyPI joserfc through the published keys."""

import pytest
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet
from platform_under_test import PLATFORM, call, expect, sign_in, sign_up


@pytest.fixture(scope="module")
def keys():
    return KeySet.import_key_set(call("GET", PLATFORM + "/.well-known/jwks.json")[1])


@pytest.fixture(scope="module")
def token():
    return sign_in(sign_up("tokens-owner"))["accessToken"]


def test_an_access_token_is_signed_by_a_published_key(keys, token):
    decoded = jwt.decode(token, keys, algorithms=["EdDSA"])
    assert decoded.header["typ"] == "at+jwt"
    assert decoded.claims["exp"] - decoded.claims["iat"] == 15 * 60
    assert not {"roles", "permissions", "scope", "email"} & decoded.claims.keys()


def test_a_changed_token_is_refused_by_both_sides(keys, token):
    head, _, signature = token.split(".")
    other = sign_in(sign_up("tokens-other"))["accessToken"].split(".")[1]
    forged = ".".join([head, other, signature])
    with pytest.raises(BadSignatureError):
        jwt.decode(forged, keys, algorithms=["EdDSA"])
    assert call("GET", "/me", token=forged)[0] == 401


def test_private_parts_are_not_published():
    for key in call("GET", PLATFORM + "/.well-known/jwks.json")[1]["keys"]:
        assert "d" not in key and key["kty"] == "OKP" and key["kid"]


def test_the_head_of_the_audit_trail_is_signed_by_a_published_key(keys, token):
    checkpoint = expect(200, "GET", "/org/audit-log/checkpoint", token=token)
    jws.deserialize_compact(checkpoint["signature"], keys, algorithms=["EdDSA"])
