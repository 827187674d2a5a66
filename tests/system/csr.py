"""Certification requests that are wrong in one way each (PKCS #10, RFC 2986), and right ones of all sorts."""
import base64
import pathlib
import subprocess

from people import openssl


def pem(der, label="CERTIFICATE REQUEST"):
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


def make(folder, *options, subject="/CN=ignored"):
    """DER of a request; options are openssl-req's for the new key."""
    key = pathlib.Path(folder) / "made.key"
    return openssl("req", "-new", "-nodes", "-keyout", key, "-subj", subject, "-utf8", "-outform",
                   "DER",
                   *options).stdout


def ec(curve="P-256", encoding="named_curve"):
    return ("-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-pkeyopt",
            f"ec_param_enc:{encoding}")


def header(der, at=0):
    """(length of the header, length of the content) of the element at `at`."""
    first = der[at + 1]
    if first < 0x80:
        return 2, first
    count = first & 0x7F
    return 2 + count, int.from_bytes(der[at + 2:at + 2 + count], "big")


def element(tag, content):
    n = len(content)
    length = bytes([n]) if n < 0x80 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes(
        (n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + content


def with_nul(folder):
    """A request, rightly signed, with a NUL inside its common name."""
    der = make(folder, *ec(), subject="/CN=www.example.jpXevil")
    skip, _ = header(der)
    inner_skip, inner_length = header(der, skip)
    info = der[skip:skip + inner_skip + inner_length].replace(b"jpXevil", b"jp\0evil")
    tail = der[skip + inner_skip + inner_length:]
    a_skip, a_length = header(tail)
    algorithm = tail[:a_skip + a_length]
    (pathlib.Path(folder) / "info.der").write_bytes(info)
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign",
                                pathlib.Path(folder) / "made.key",
                                pathlib.Path(folder) / "info.der"], capture_output=True,
                                check=True).stdout
    return element(0x30, info + algorithm + element(0x03, b"\0" + signature))


def bad(folder):
    """{what is wrong: CSR as a client would send it}"""
    good = make(folder, *ec())
    broken = bytearray(good)
    broken[-1] ^= 1
    text = pem(good)
    lines = text.splitlines(keepends=True)
    return {
        "empty": "",
        "not a PEM": "hello",
        "DER cut off": pem(good[:-20]),
        "DER cut off to its first byte": pem(good[:1]),
        "no DER at all": pem(b"hello, this is no DER"),
        "bytes after it": pem(good + b"\0\0\0"),
        "signature": pem(bytes(broken)),
        "RSA of 1024 bits": pem(make(folder, "-newkey", "rsa:1024")),
        "secp224r1": pem(make(folder, *ec("secp224r1"))),
        "secp256k1": pem(make(folder, *ec("secp256k1"))),
        "explicit parameters": pem(make(folder, *ec("P-256", "explicit"))),
        "Ed25519": pem(make(folder, "-newkey", "ed25519")),
        "NUL in a name": pem(with_nul(folder)),
        "base64 of no DER, no PEM": base64.b64encode(b"hello, this is no DER").decode(),
        "PEM with letters outside base64": "".join([lines[0], "!!!! \u00e9\n", *lines[1:]]),
        "PEM cut off": "".join(lines[:-2]),
        "no END": "".join(lines[:-1]),
        "two in one": text + text,
        "a certificate": pem(good, "CERTIFICATE"),
        "a private key": (pathlib.Path(folder) / "made.key").read_text(),
        "a public key": openssl("pkey", "-in", pathlib.Path(folder) / "made.key",
                                "-pubout").stdout.decode(),
    }


def good(folder):
    """{which: CSR} that must be taken."""
    one = make(folder, *ec())
    return {
        "P-256": pem(one),
        "P-384": pem(make(folder, *ec("P-384"))),
        "RSA 2048": pem(make(folder, "-newkey", "rsa:2048")),
        "RSA 4096": pem(make(folder, "-newkey", "rsa:4096")),
        "RSA, SHA-512": pem(make(folder, "-newkey", "rsa:2048", "-sha512")),
        "DER in base64": base64.b64encode(one).decode(),
        "line ends of Windows": pem(one).replace("\n", "\r\n"),
        "the older label": pem(one, "NEW CERTIFICATE REQUEST"),
        "a name in Japanese": pem(make(folder, *ec(), subject="/CN=〇〇 花子")),
        "an empty name": pem(make(folder, *ec(), subject="/")),
    }
