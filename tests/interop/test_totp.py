"""Second factors with authenticators that others wrote: PyPI pyotp and Debian's oathtool."""

import subprocess
from datetime import datetime, timezone

import pyotp
import pytest


@pytest.fixture(scope="module")
def enrolled(platform):
    """A person with an authenticator: address, authenticator and recovery codes."""
    email = platform.sign_up("totp-owner")
    token = platform.sign_in(email)["accessToken"]
    started = platform.expect(201, "POST", "/me/mfa/totp", {}, token)
    authenticator = pyotp.parse_uri(started["otpauthUrl"])
    assert authenticator.digits == 6 and authenticator.interval == 30
    assert (authenticator.issuer, authenticator.name, authenticator.secret) == ("Mainsheet", email, started["secret"])
    code = authenticator.at(platform.advance_clock(0))
    codes = platform.expect(200, "POST", "/me/mfa/totp/verify", {"code": code}, token)["codes"]
    assert len(set(codes)) == 10
    return email, authenticator, codes


@pytest.fixture
def verify(platform, enrolled):
    """Signs in with the password and then a second factor; the status and the body."""
    email, _, _ = enrolled

    def answer(**proof):
        challenged = platform.sign_in(email)
        assert challenged["nextStep"] == "mfa" and "accessToken" not in challenged, challenged
        return platform.call("POST", "/auth/mfa/verify", {"challengeToken": challenged["challengeToken"], **proof})

    return answer


def test_a_code_signs_in_once(platform, enrolled, verify):
    _, authenticator, _ = enrolled
    code = authenticator.at(platform.advance_clock(60))
    status, body = verify(code=code)
    assert status == 200 and platform.call("GET", "/me", token=body["accessToken"])[0] == 200, body
    assert verify(code=code)[0] == 401


def test_one_step_of_skew_is_forgiven_and_no_more(platform, enrolled, verify):
    _, authenticator, _ = enrolled

    def fresh(seconds):
        """Moves the clock further than that, to the first seconds of a step, which then does not end before the code is checked."""
        now = platform.advance_clock(seconds)
        return platform.advance_clock(authenticator.interval - int(now) % authenticator.interval)

    assert verify(code=authenticator.at(fresh(90) - 30))[0] == 200
    assert verify(code=authenticator.at(fresh(120) - 40))[0] == 401
    assert verify(code=authenticator.at(fresh(120) + 60))[0] == 401


def test_a_recovery_code_signs_in_once(platform, enrolled, verify):
    _, _, codes = enrolled
    platform.advance_clock(1800)
    assert verify(recoveryCode=codes[0])[0] == 200
    assert verify(recoveryCode=codes[0])[0] == 401


def test_oathtool_makes_the_same_codes(platform, enrolled, verify):
    _, authenticator, _ = enrolled
    now = datetime.fromtimestamp(platform.advance_clock(1800), timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    command = ["oathtool", "--totp", "--base32", "--now", now, authenticator.secret]
    code = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert verify(code=code)[0] == 200
