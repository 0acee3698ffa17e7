"""A module that is missing, damaged or of another kind, kernels that do not exist, a CPU without any fast one: programs start
and work with the default provider, and who asks for Sealane by name is told the cause."""
import re

from cases_unmodified import check_fetched, plain_env
from harness import NotRun, case, check, need, run
from unmodified import SUITES, Nginx, maps


def check_default_serves(context, what, env):
    """nginx starts, says nothing, has no module, and serves a suite of each cipher."""
    with Nginx(context, env=env) as nginx:
        check(not any(maps(pid, context.module) for pid in nginx.workers()), f"{what}: the module is loaded all the same")
        for suite in SUITES[:3]:
            check_fetched(context, nginx, suite)
        check("emerg" not in nginx.log() and "SSL" not in nginx.log(), f"{what}: {nginx.why()}")


def asked_by_name(context, env, folder):
    """What openssl says when Sealane is not preferred but demanded."""
    result = run([need("openssl"), "list", "-providers", "-provider-path", folder, "-provider", "sealane"], env=env)
    check(result.status != 0, f"a provider that cannot be had was had: {result}")
    return result.text


def broken_modules(context):
    """(what, file, what the loader's message has)"""
    whole = context.module.read_bytes()
    folder = context.folder / "broken"
    folder.mkdir()

    def made(name, content):
        (folder / name).mkdir()
        path = folder / name / "sealane.so"
        if content is not None:
            path.write_bytes(content)
        return path

    machine, word_size = bytearray(whole), bytearray(whole)
    machine[18:20] = b"\xff\xfe"
    word_size[4] ^= 3
    yield "missing", made("missing", None), "cannot open shared object file"
    yield "empty", made("empty", b""), "file too short"
    yield "a text", made("text", b"this is no module\n" * 1000), "invalid ELF header"
    yield "cut within its header", made("cut", whole[:60]), "file too short"
    yield "for another machine", made("machine", bytes(machine)), "cannot open shared object file"
    yield "of another word size", made("word", bytes(word_size)), "wrong ELF class"
    (folder / "directory/sealane.so").mkdir(parents=True)
    yield "a directory", folder / "directory/sealane.so", "cannot read file data"
    library = next(context.build.glob("libsealane.so.*.*.*"), None)
    if library:
        yield "no provider at all", made("other", library.read_bytes()), "sealane"


@case
def broken_modules_leave_the_default(context):
    for what, path, said in broken_modules(context):
        conf = context.conf_with("broken", (r"^module = .*$", f"module = {path}"))
        check_default_serves(context, what, context.env(conf))
        text = asked_by_name(context, context.env("/dev/null"), path.parent)
        check(said in text, f"a module that is {what}: openssl says {text}")


@case
def kernels_that_do_not_exist(context):
    """The module refuses to be loaded, and names the kernel."""
    for kernels, culprit in (("nothing", "nothing"), ("gcm_portable,chapoly_best", "chapoly_best")):
        check_default_serves(context, kernels, context.env(SEALANE_KERNELS=kernels))
        text = asked_by_name(context, context.env("/dev/null", SEALANE_KERNELS=kernels), context.build)
        check(f'SEALANE_KERNELS: unknown kernel "{culprit}"' in text, f"openssl says {text}")


@case
def a_cpu_without_fast_kernels(context):
    """The module is loaded and offers nothing; a feature that no kernel asks for is an error that names it."""
    bench = context.build / "sealane-bench"
    if not bench.exists():
        raise NotRun("sealane-bench, which lists this CPU's features, is not built")
    features = re.search(r"\(([a-z0-9_ ]*)\)\n", run([bench, "kernels"], env=plain_env()).text).group(1).split()
    env = {name: value for name, value in context.env().items() if name != "SEALANE_KERNELS"}
    env["SEALANE_CPU_OFF"] = ",".join(features)
    listed = run([need("openssl"), "list", "-providers", "-cipher-algorithms"], env=env)
    check("Sealane provider" in listed.text and "@ sealane" not in listed.text, f"openssl lists {listed}")
    with Nginx(context, env=env) as nginx:
        check(all(maps(pid, context.module) for pid in nginx.workers()), "the module is not loaded")
        for suite in SUITES:
            check_fetched(context, nginx, suite)
    text = asked_by_name(context, context.env("/dev/null", SEALANE_CPU_OFF="avx9000"), context.build)
    check('SEALANE_CPU_OFF: unknown feature "avx9000"' in text, f"openssl says {text}")
