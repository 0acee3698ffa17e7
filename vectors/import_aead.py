#!/usr/bin/env python3
"""Writes the vector files of AES-GCM and ChaCha20-Poly1305 (format: README.md).

    vectors/import_aead.py            writes every file
    vectors/import_aead.py --check    says whether the files here are what it would write

Source: Debian's python3-cryptography-vectors."""
import argparse
import pathlib
import sys

from import_hash import HERE, IN_PACKAGE, NIST_LICENCE, RFC_LICENCE, responses, text

APACHE = "Apache-2.0 as packaged"
PER_SHAPE = 8  # cases of each (text length, AAD length) of NIST's 15: some 800 in all


def gcm_cases(path, alg):
    """96-bit nonces and 128-bit tags, the first PER_SHAPE of each combination of lengths, the first failing ones too."""
    n_taken = {}
    for case in responses(path):
        if len(case["iv"]) != 24 or len(case["tag"]) != 32:
            continue
        # A response without a plaintext is one that must not open.
        shape = len(case["ct"]), len(case["aad"]), "pt" in case
        n_taken[shape] = n_taken.get(shape, 0) + 1
        if n_taken[shape] > PER_SHAPE // (2 if "Decrypt" in path else 1):
            continue
        made = {"alg": alg, "key": case["key"], "nonce": case["iv"], "aad": case["aad"], "cipher": case["ct"],
                "tag": case["tag"], "result": "ok" if "pt" in case else "fail"}
        if "pt" in case:
            made["text"] = case["pt"]
        yield made


def gcm():
    cases = []
    for bits in (128, 256):
        for what in ("EncryptExtIV", "Decrypt"):
            cases += gcm_cases(f"ciphers/AES/GCM/gcm{what}{bits}.rsp", f"aes-{bits}-gcm")
    return text("AES-GCM with 96-bit nonces and 128-bit tags, NIST CAVP (GCMVS)",
                f"NIST CAVP, gcmtestvectors, {IN_PACKAGE}", NIST_LICENCE, cases,
                f"The first {PER_SHAPE} of each pair of lengths for sealing; for opening, half right and half wrong ones.")


def hexadecimal(value):
    """BoringSSL's files quote texts."""
    return value[1:-1].encode().hex() if value.startswith('"') else value.lower()


def chapoly_cases():
    for case in responses("ciphers/ChaCha20Poly1305/boringssl.txt"):
        yield {"alg": "chacha20-poly1305", "key": hexadecimal(case["key"]), "nonce": hexadecimal(case["nonce"]),
               "aad": hexadecimal(case["ad"]), "text": hexadecimal(case["in"]), "cipher": hexadecimal(case["ct"]),
               "tag": hexadecimal(case["tag"]), "result": "ok"}
    for case in responses("ciphers/ChaCha20Poly1305/openssl.txt"):
        ok = "result" not in case
        made = {"alg": "chacha20-poly1305", "key": case["key"], "nonce": case["iv"], "aad": case["aad"],
                "cipher": case["ciphertext"], "tag": case["tag"], "result": "ok" if ok else "fail"}
        if ok:
            made["text"] = case["plaintext"]
        yield made


def is_of_rfc(case):
    """The two whole AEAD examples of RFC 8439: 2.8.2 and A.5."""
    return case["result"] == "ok" and case["tag"] in ("1ae10b594f09e26a7e902ecbd0600691",
                                                      "eead9d67890cbb22392336fea1851f38")


def chapoly_rfc():
    return text("AEAD_CHACHA20_POLY1305, RFC 8439 sections 2.8.2 and A.5", f"RFC 8439, {IN_PACKAGE}", RFC_LICENCE,
                [case for case in chapoly_cases() if is_of_rfc(case)])


def chapoly_others():
    usable = [case for case in chapoly_cases()
              if len(case["nonce"]) == 24 and len(case["tag"]) == 32 and not is_of_rfc(case)]
    return text("AEAD_CHACHA20_POLY1305, cases of BoringSSL's and OpenSSL's tests",
                f"BoringSSL crypto/cipher_extra/test/chacha20_poly1305_tests.txt and OpenSSL test/evpciph.txt, {IN_PACKAGE}",
                APACHE, usable, "Those with 96-bit nonces and 128-bit tags.")


def chacha20():
    cases = [{"key": case["key"], "nonce": case["nonce"], "counter": case["initial_block_counter"],
              "text": case["plaintext"], "cipher": case["ciphertext"]}
             for case in responses("ciphers/ChaCha20/rfc7539.txt")]
    return text("ChaCha20 by itself, RFC 8439 section A.2", f"RFC 7539 (the same in RFC 8439), {IN_PACKAGE}", RFC_LICENCE,
                cases)


def poly1305():
    cases = [{"key": case["key"].lower(), "msg": case["msg"].lower(), "tag": case["tag"].lower()}
             for case in responses("poly1305/rfc7539.txt")]
    return text("Poly1305 by itself, RFC 8439 section A.3", f"RFC 7539 (the same in RFC 8439), {IN_PACKAGE}", RFC_LICENCE,
                cases)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    args = parser.parse_args()

    files = {"aes_gcm_nist.txt": gcm, "chacha20_poly1305_rfc8439.txt": chapoly_rfc,
             "chacha20_poly1305_others.txt": chapoly_others, "chacha20_rfc8439.txt": chacha20,
             "poly1305_rfc8439.txt": poly1305}
    stale = 0
    for name, make in files.items():
        path, made = HERE / name, make()
        if not args.check:
            path.write_text(made)
        elif not path.exists() or path.read_text() != made:
            print(f"{path}: not what {pathlib.Path(__file__).name} writes", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
