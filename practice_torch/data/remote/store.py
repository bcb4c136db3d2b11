"""Files behind URLs, by the library fsspec: s3://bucket/folder, gs://bucket/folder, file:///folder, memory://folder, ..."""

import hashlib

from practice_torch.data.errors import DataError

BLOCK = 2**23  # bytes that one request reads: what a fetching thread holds in memory


def is_url(source):
    """Whether a source is a URL, and no path or name."""
    return "://" in str(source)


def read(url):
    """The content of a small file. DataError if it cannot be read."""
    system, path = _located(url)
    return _asked(url, lambda: system.cat_file(path))


def fetch(url, file, size, sha256):
    """Write what is behind the URL into a file. DataError unless it has this size and this checksum."""
    system, path = _located(url)
    digest = hashlib.sha256()
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        block = _asked(url, lambda start=start, stop=stop: system.cat_file(path, start=start, end=stop))
        digest.update(block)
        file.write(block)
    file.flush()
    if digest.hexdigest() != sha256:
        raise DataError(f"{url} is not the content that was prepared (its sha256 differs): copy it to the store again")


def _located(url):
    """(the file system of a URL, the path in it)."""
    from fsspec.core import url_to_fs
    from fsspec.registry import known_implementations

    scheme = str(url).split("://")[0]
    try:
        return url_to_fs(str(url))
    except ImportError as error:
        package = known_implementations[scheme]["class"].split(".")[0]
        mend = f"pip install {package}" if package != "fsspec" else " ".join(str(error).split())
        raise DataError(f"{url}: reading {scheme}:// needs a driver that is not installed: {mend}") from None
    except ValueError as error:
        known = "s3, gs, az, hf, http, https, sftp, file and others"
        raise DataError(f"{url} is no usable URL ({' '.join(str(error).split())[:120]}); fsspec knows {known}") from None
    except Exception as error:
        raise _unreadable(url, error) from None


def _asked(url, function):
    try:
        return function()
    except FileNotFoundError:
        raise DataError(f"{url} does not exist: a URL is that of a folder that `prepare` wrote, copied whole") from None
    except Exception as error:  # drivers raise their own classes: ClientError, HttpError, TimeoutError, OSError, ...
        raise _unreadable(url, error) from None


def _unreadable(url, error):
    why = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return DataError(f"{url} cannot be read ({why}): check the network and the credentials")
