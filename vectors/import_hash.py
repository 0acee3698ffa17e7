#!/usr/bin/env python3
"""Writes the vector files of SHA-2, HMAC, HKDF, X25519 and ECDH (format: README.md).

    vectors/import_hash.py [--rfc DIR]            writes every file
    vectors/import_hash.py [--rfc DIR] --check    says whether the files here are what it would write

Sources: Debian's python3-cryptography-vectors, and short values quoted in full below. The traces of RFC 8448 are read from
DIR/rfc8448.txt; without --rfc their file is left as it is."""
import argparse
import hashlib
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = pathlib.Path("/usr/lib/python3/dist-packages/cryptography_vectors")
HASHES = ("sha256", "sha384", "sha512")

IN_PACKAGE = "by way of Debian's python3-cryptography-vectors 38.0.4"
NIST_LICENCE = "published by NIST, not subject to copyright in the United States (17 U.S.C. 105)"
RFC_LICENCE = "test vectors of an RFC, Code Components under the Revised BSD License (IETF Trust Legal Provisions 4.c)"


def responses(content):
    """Yields the cases of a response file: dicts of lower-case names. A name that comes again ends one."""
    case = {}
    for line in content.splitlines():
        match = re.fullmatch(r"(\w+)\s*=\s*(.*)", line.strip())
        if match is None:
            continue
        name, value = match.group(1).lower(), match.group(2).strip()
        if name in case:
            yield case
            case = {}
        case[name] = value
    yield case


def text(title, source, licence, cases, note=""):
    head = [f"# {title}", f"# source:  {source}", f"# licence: {licence}"]
    head += [f"# {line}" for line in note.splitlines()]
    blocks = ["\n".join(head)]
    blocks += ["\n".join(f"{name} = {value}".rstrip() for name, value in case.items()) for case in cases]
    return "\n\n".join(blocks) + "\n"


# ---- SHA-2 ----------------------------------------------------------------------------------------------------------

# FIPS 180-2's last example: a million times the letter a.
MILLION = {
    "sha256": "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    "sha384": "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985",
    "sha512": "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
              "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
}


def sha2():
    cases = []
    for alg in HASHES:
        stem = f"hashes/SHA2/{alg.upper()}"
        short = [case for case in responses((PACKAGE / f"{stem}ShortMsg.rsp").read_text()) if "msg" in case]
        long = [case for case in responses((PACKAGE / f"{stem}LongMsg.rsp").read_text()) if "msg" in case]
        # Long messages are long: every one up to 1 KiB, then the last.
        for case in short + [case for case in long if int(case["len"]) <= 8192] + long[-1:]:
            msg = case["msg"] if int(case["len"]) > 0 else ""
            cases.append({"alg": alg, "msg": msg, "digest": case["md"]})
        assert hashlib.new(alg, b"a" * 1000000).hexdigest() == MILLION[alg]
        cases.append({"alg": alg, "msg": "61 * 1000000", "digest": MILLION[alg]})
    return text("SHA-2, NIST CAVP (SHAVS) short and long byte messages, and a million times `a` of FIPS 180-2",
                f"NIST CAVP, shabytetestvectors, {IN_PACKAGE}; FIPS 180-2 appendices B.3, C.3, D.3", NIST_LICENCE, cases)


def sha2_monte():
    """The Monte Carlo chain: each checkpoint's digest is the next one's seed."""
    cases = []
    for alg in HASHES:
        seed = None
        for case in responses((PACKAGE / f"hashes/SHA2/{alg.upper()}Monte.rsp").read_text()):
            seed = case.get("seed", seed)
            if "md" not in case:
                continue
            if int(case["count"]) in (0, 1, 99):
                cases.append({"alg": alg, "seed": seed, "rounds": int(case["count"]) + 1, "digest": case["md"]})
    return text("SHA-2, NIST CAVP (SHAVS) Monte Carlo test", f"NIST CAVP, shabytetestvectors, {IN_PACKAGE}",
                NIST_LICENCE, cases,
                "`rounds` times: a, b, c = seed; 1,000 times (a, b, c = b, c, hash(a | b | c)); seed = c.\n"
                "`digest` is the last seed.")


# ---- HMAC, HKDF -----------------------------------------------------------------------------------------------------

def hmac():
    cases = [{"alg": alg, "key": case["key"], "msg": case["msg"], "mac": case["md"]}
             for alg in HASHES for case in responses((PACKAGE / f"HMAC/rfc-4231-{alg}.txt").read_text()) if "md" in case]
    return text("HMAC-SHA-2, RFC 4231", f"RFC 4231 section 4, {IN_PACKAGE}", RFC_LICENCE, cases)


def hkdf():
    cases = [{"alg": case["hash"].lower().replace("-", ""), "ikm": case["ikm"], "salt": case["salt"],
              "info": case["info"], "prk": case["prk"], "len": int(case["l"]), "okm": case["okm"]}
             for case in responses((PACKAGE / "KDF/rfc-5869-HKDF-SHA256.txt").read_text()) if "okm" in case]
    return text("HKDF-SHA-256, RFC 5869", f"RFC 5869 appendix A, {IN_PACKAGE}", RFC_LICENCE, cases)


def hkdf_label(rfc):
    """Every HKDF-Expand-Label of RFC 8448, from its PRK, its info and what came out."""
    lines = [line for line in (rfc / "rfc8448.txt").read_text(encoding="latin-1").replace("\f", "").splitlines()
             if not re.match(r"Thomson  |RFC 8448  ", line)]
    body = re.sub(r"\n\n+", "\n\n", "\n".join(lines))
    # A field is NAME (N octets): hex, and may be cut by a page; its length says where it ends.
    cases, seen, prk, info = [], set(), None, None
    for match in re.finditer(r"\b(PRK|(?:\w+ )?info|(?:\w+ )?expanded) \((\d+) octets\):((?:\s+[0-9a-f]{2}\b)+)", body):
        name, length, value = match.group(1), int(match.group(2)), bytes.fromhex(match.group(3))
        assert len(value) == length, match.group(0)
        if name == "PRK":
            prk = value
        elif name.endswith("info"):
            info = value
        elif info is not None:
            label_len = info[2]
            label, context = info[3:3 + label_len], info[4 + label_len:]
            assert info[3 + label_len] == len(context) and int.from_bytes(info[:2], "big") == length
            case = {"alg": "sha256", "secret": prk.hex(), "label": label.decode().removeprefix("tls13 "),
                    "context": context.hex(), "len": length, "okm": value.hex()}
            if repr(case) not in seen:
                cases.append(case)
            seen.add(repr(case))
            info = None
    assert len(cases) > 50
    return text("HKDF-Expand-Label of TLS 1.3, RFC 8448", "RFC 8448, all derivations of its traces", RFC_LICENCE, cases)


# ---- X25519 ---------------------------------------------------------------------------------------------------------

# RFC 7748 6.1: (scalar, point, result) of both public keys and of the secret, from either side.
NINE = "09" + 31 * "00"
ALICE = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
ALICE_PUBLIC = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
BOB = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
BOB_PUBLIC = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
SECRET = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
DIFFIE_HELLMAN = [(ALICE, NINE, ALICE_PUBLIC), (BOB, NINE, BOB_PUBLIC), (ALICE, BOB_PUBLIC, SECRET),
                  (BOB, ALICE_PUBLIC, SECRET)]

# RFC 7748 5.2: after so many rounds.
ITERATED = {
    1: "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
    1000: "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51",
    1000000: "7c3911e0ab2586fd864497297e575e6f3bc601c0883c30df5f4dd2d24f665424",
}


def x25519():
    cases = [{"scalar": case["input_scalar"], "point": case["input_u"], "shared": case["output_u"]}
             for case in responses((PACKAGE / "asymmetric/X25519/rfc7748.txt").read_text())]
    cases += [{"scalar": scalar, "point": point, "shared": shared} for scalar, point, shared in DIFFIE_HELLMAN]
    cases += [{"scalar": NINE, "point": NINE, "rounds": rounds, "shared": shared} for rounds, shared in ITERATED.items()]
    return text("X25519, RFC 7748", f"RFC 7748 5.2 and 6.1, partly {IN_PACKAGE}", RFC_LICENCE, cases,
                "`rounds` times: scalar, point = X25519(scalar, point), scalar; `shared` is the last scalar.")


# ---- ECDH -----------------------------------------------------------------------------------------------------------

def secp256r1():
    """The cases where the peer's point is sound, or is what is wrong; the others spoil the tested side's own values."""
    path = "asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_{}.fax"
    cases = []
    for role in ("init", "resp"):
        part = re.search(r"\[EC - SHA256\](.*?)\[ED - ", (PACKAGE / path.format(role)).read_text(), re.S).group(1)
        for case in responses(part):
            verdict = re.match(r"([PF]) \((\d+) ", case["result"])
            if verdict.group(1) == "F" and verdict.group(2) not in ("1", "2"):
                continue
            made = {"secret": case["dsiut"], "point": "04" + case["qscavsx"] + case["qscavsy"]}
            if verdict.group(1) == "P":
                made |= {"own": "04" + case["qsiutx"] + case["qsiuty"], "shared": case["z"]}
            cases.append(made | {"result": "ok" if verdict.group(1) == "P" else "fail"})
    assert len(cases) > 30
    return text("ECDH on P-256, NIST CAVP", f"NIST CAVP, KASValidityTest ECCStaticUnified ZZOnly, P-256, {IN_PACKAGE}",
                NIST_LICENCE, cases, "The cases whose peer's point is sound or is what is wrong.")


# ---------------------------------------------------------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rfc", type=pathlib.Path, metavar="DIR", help="where rfc8448.txt is")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    args = parser.parse_args()

    files = {"sha2_nist.txt": sha2, "sha2_monte_nist.txt": sha2_monte, "hmac_rfc4231.txt": hmac,
             "hkdf_rfc5869.txt": hkdf, "x25519_rfc7748.txt": x25519, "secp256r1_nist.txt": secp256r1}
    if args.rfc is not None:
        files["hkdf_label_rfc8448.txt"] = lambda: hkdf_label(args.rfc)
    else:
        print("n/a hkdf_label_rfc8448.txt: no --rfc DIR")
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
