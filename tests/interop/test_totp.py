"""Second factors with authenticators that others wrote: PyPI pyotp and, where it is installed, Debian's oathtool."""

import shutil
import subprocess
from datetime import datetime, timezone

import pyotp
import pytest
from platform_under_test import advance_clock, call, expect, sign_in, sign_up


@pytest.fixture(scope="module")
def enrolled():
    """A person with an authenticator: address, authenticator and recovery codes."""
    email = sign_up("totp-owner")
    token = sign_in(email)["accessToken"]
    started = expect(201, "POST", "/me/mfa/totp", {}, token=token)
    authenticator = pyotp.parse_uri(started["otpauthUrl"])
    assert authenticator.digits == 6 and authenticator.interval == 30
    confirmed = expect(200, "POST", "/me/mfa/totp/verify", {"code": authenticator.at(advance_clock(0))}, token=token)
    codes = confirmed["codes"]
    assert len(set(codes)) == 10
    return email, authenticator, codes


def challenge(email):
    answer = sign_in(email)
    assert answer["nextStep"] == "mfa" and "accessToken" not in answer, answer
    return answer["challengeToken"]


def verify(email, **proof):
    return call("POST", "/auth/mfa/verify", {"challengeToken": challenge(email), **proof})


def test_a_code_signs_in_once(enrolled):
    email, authenticator, _ = enrolled
    now = advance_clock(60)
    code = authenticator.at(now)
    status, body = verify(email, code=code)
    assert status == 200 and body["accessToken"], body
    status, body = verify(email, code=code)
    assert status == 401, body


def test_one_step_of_skew_is_forgiven_and_no_more(enrolled):
    email, authenticator, _ = enrolled
    assert verify(email, code=authenticator.at(advance_clock(90) - 30))[0] == 200
    assert verify(email, code=authenticator.at(advance_clock(120) - 61))[0] == 401


def test_a_recovery_code_signs_in_once(enrolled):
    email, _, codes = enrolled
    advance_clock(1800)
    assert verify(email, recoveryCode=codes[0])[0] == 200
    assert verify(email, recoveryCode=codes[0])[0] == 401


@pytest.mark.skipif(shutil.which("oathtool") is None, reason="oathtool is not installed")
def test_oathtool_makes_the_same_codes(enrolled):
    email, authenticator, _ = enrolled
    now = datetime.fromtimestamp(advance_clock(1800), timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    command = ["oathtool", "--totp", "--base32", "--now", now, authenticator.secret]
    code = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert verify(email, code=code)[0] == 200
