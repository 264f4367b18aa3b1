"""Reads what a job names by URI."""

import hashlib
import os
import urllib.request

import run_files

TIMEOUT_SECONDS = 30
# Either of them is there when the process has a role of its own in AWS: it never falls back to the machine's.
ROLE_VARIABLES = ("AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI")


class Failure(Exception):
    """What a person has to read about why the run failed."""


def scheme_of(text):
    """The scheme of a URI; `None` for a text that is none."""
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    is_uri = separator and scheme.isascii() and scheme.isalnum() and rest and not any(map(str.isspace, text))
    return scheme if is_uri else None


def is_wheel(source):
    """Whether it is the URI of a wheel."""
    return scheme_of(source) is not None and file_name(source).endswith(".whl")


def file_name(uri):
    """The last part of a URI's path."""
    return uri.strip().partition("#")[0].partition("?")[0].rpartition("/")[2]


def read(uri, largest_bytes):
    """What is at a URI."""
    uri, scheme = uri.strip(), scheme_of(uri)
    try:
        if scheme == "s3":
            content = read_s3(uri, largest_bytes)
        elif scheme in ("http", "https", "file"):
            with urllib.request.urlopen(uri, timeout=TIMEOUT_SECONDS) as response:
                content = response.read(largest_bytes + 1)
        else:
            raise Failure(f"{uri} cannot be read: use https://, file:// or, where there is a job role, s3://")
    except (OSError, ValueError) as error:
        raise Failure(f"cannot read {uri}: {getattr(error, 'reason', error)}") from error
    if len(content) > largest_bytes:
        raise Failure(f"{uri} is larger than {largest_bytes} bytes")
    return content


def read_s3(uri, largest_bytes):
    require_role(uri)
    from pyarrow.fs import FileSystem

    store, path = FileSystem.from_uri(uri)
    with store.open_input_stream(path) as stream:
        return stream.read(largest_bytes + 1)


def require_role(uri):
    """S3 is reached with a role of the job's own, which only runs in a cluster have."""
    if not any(os.environ.get(name) for name in ROLE_VARIABLES):
        raise Failure(f"{uri}: this cluster's agent has no job role, so it does not read s3://; use https:// or file://")


def download(uri, largest_bytes):
    """Puts what is at a URI into a file of the same name, and gives its path and the SHA-256 of its content."""
    content = read(uri, largest_bytes)
    digest = hashlib.sha256(content).hexdigest()
    folder = run_files.RUN_DIRECTORY / "downloads" / digest[:16]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(uri)
    path.write_bytes(content)
    return path, digest
