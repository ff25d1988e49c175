"""The local AWS: builds the functions, starts ministack in the background and deploys template.yaml to it.

    stack.py up PORT                  build, start, deploy, write outputs.json; each step only if it is due
    stack.py down                     stop the local AWS
    stack.py during PORT COMMAND ...  run a command against it, and stop it again unless it ran before
    stack.py build [ARCHITECTURE]     build the functions for AWS with cargo lambda and sam build, if due

The local AWS runs the functions of the development build, which the tests use too; AWS gets the release
build. The state and the logs are in .local (or $LOCAL_DIR, for a second stack on another port).
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / os.environ.get("LOCAL_DIR", ".local")
AWS_BUILD = ROOT / ".aws-sam"
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
TOOLS = ROOT / ".venv" / "bin"
REGION = "us-east-1"
ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
START_SECONDS = (
    60  # ministack imports its services in about 3 s; a loaded CI machine takes several times that
)
STOP_SECONDS = 10  # for its functions to end before it is killed
LOG_LINES = 15  # of a log, to show when its step fails


def main(arguments):
    match arguments:
        case ["up", port]:
            up(int(port))
        case ["down"]:
            say("stop" if stop() else "stop: nothing was running")
        case ["during", port, *command]:
            during(int(port), command)
        case ["build"]:
            build_for_aws(ARCHITECTURE)
        case ["build", ("arm64" | "x86_64") as architecture]:
            build_for_aws(architecture)
        case _:
            raise SystemExit(__doc__)


def up(port):
    LOCAL.mkdir(exist_ok=True)
    built = build()
    started = start(port)
    deploy(port, f"{built} {started}")


def during(port, command):
    running = recorded()
    if running:
        port = running["port"]
    try:
        up(port)
        run(
            command,
            environment(port) | {"STACK_RAN_BEFORE": "1" if running else ""},
            cause=f"the log of the local AWS is {LOCAL / 'ministack.log'}",
        )
        if broken := read(LOCAL / "broken-rules"):
            fail(f"AWS rejects such requests, which the local AWS took:\n{broken}")
    finally:
        if not running:
            stop()


def environment(port=None):
    """The caller's environment without AWS settings and proxies; with a port, that of the local root user."""
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("AWS_", "SAM_")) and not k.lower().endswith("_proxy")
    }
    env |= {
        "PATH": f"{TOOLS}{os.pathsep}{env['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }
    if port:
        env |= {
            "AWS_ENDPOINT_URL": endpoint(port),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
    return env


# ---- build ---------------------------------------------------------------------------------------


def build():
    """Builds the workspace as `make test` does, and the local template; returns the fingerprint of both."""
    say("build: the functions and webhookctl, not optimized (5 to 10 minutes the first time)")
    command = ["cargo", "build", "--locked", "--workspace", "--exclude", "webhook-gateway-fuzz", "--bins"]
    run(
        command,
        os.environ,
        cause="cargo says above why; without a change of the code it is the network or a full disk",
    )
    template, binaries = local_template()
    digest = hashlib.sha256()
    for path in (template, ROOT / "infra/monitoring.yaml", *binaries):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def local_template():
    """Writes what `sam build` does: template.yaml with each function's binary, here an unoptimized one."""
    from samcli.yamlhelper import yaml_dump, yaml_parse

    folder = LOCAL / "build"
    shutil.rmtree(folder, ignore_errors=True)
    template = yaml_parse((ROOT / "template.yaml").read_text())
    binaries = []
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            binary = resource["Metadata"]["BuildProperties"]["Binary"]
            (folder / name).mkdir(parents=True)
            binaries.append(shutil.copy(TARGET / binary, folder / name / "bootstrap"))
            resource["Properties"]["CodeUri"] = name
        elif resource["Type"] == "AWS::CloudFormation::Stack":
            resource["Properties"]["TemplateURL"] = str(ROOT / resource["Properties"]["TemplateURL"])
    built = folder / "template.yaml"
    built.write_text(yaml_dump(template))
    return built, binaries


def build_for_aws(architecture):
    """Builds both functions as they are deployed to AWS, unless their sources are those of the last build."""
    fingerprint = sources(architecture)
    stamp = AWS_BUILD / "built"
    if read(stamp) == fingerprint:
        say("build: up to date")
        return
    stamp.unlink(missing_ok=True)
    # sam build hides cargo's progress. Therefore cargo goes first, and sam finds everything compiled. It
    # compiles one package, as sam build does: with the tool's, the functions would have the features that
    # only the tool asks for.
    say(
        f"build: both functions for {architecture}, optimized "
        "(10 to 20 minutes the first time, 2 after a change)"
    )
    binaries = ["--bin", "ingress", "--bin", "delivery"]
    target = ["--arm64"] if architecture == "arm64" else ["--x86-64"] if architecture != ARCHITECTURE else []
    env = os.environ | {
        "PATH": environment()["PATH"],
        "SAM_CLI_TELEMETRY": "0",
    }  # with the proxy, which the registry may need
    run(
        [
            "cargo",
            "lambda",
            "build",
            "--release",
            "--locked",
            "--package",
            "webhook-gateway",
            *binaries,
            *target,
        ],
        env,
    )
    say("build: sam build")
    run(["sam", "build", *sam_options(architecture)], env)
    stamp.write_text(fingerprint)


def sources(architecture):
    files = [ROOT / name for name in ("template.yaml", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml")]
    files += (ROOT / "infra").glob("*.yaml")
    files += [path for path in (ROOT / "src").rglob("*") if path.is_file()]
    digest = hashlib.sha256(architecture.encode())
    for path in sorted(files):
        digest.update(f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def sam_options(architecture):
    """The architecture, and endpoints on this machine, which speak HTTP on loopback."""
    options = ROOT / "infra/local/samconfig.toml"
    return [
        "--config-file",
        str(options),
        "--parameter-overrides",
        f"Architecture={architecture}",
        "EndpointPolicy=unrestricted",
    ]


# ---- start and stop ------------------------------------------------------------------------------


def start(port):
    """Starts ministack unless it runs already. Returns the identity of this run."""
    running = recorded()
    if running and running["port"] != port:
        fail(
            f"this checkout's local AWS runs on port {running['port']}: "
            "`make down` first, or set LOCAL_DIR for a second one"
        )
    if running:
        say(f"start: already running on port {port}")
        return running["started"]
    if taken(port):
        fail(f"another process has port {port}. Choose another one, for example PORT={port + 100}")
    say(f"start: ministack on port {port}")
    scratch = LOCAL / "tmp"
    scratch.mkdir(exist_ok=True)
    env = environment(port) | {
        "AUTH": "true",  # enforce IAM
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "LAMBDA_EXECUTOR": "local",  # run the real bootstrap, without Docker
        "TMPDIR": str(scratch),
        "S3_DATA_DIR": str(scratch / "s3"),
        "STATE_DIR": str(scratch / "state"),
        "BROKEN_RULES": str(LOCAL / "broken-rules"),
    }
    (LOCAL / "broken-rules").unlink(missing_ok=True)
    with open(LOCAL / "ministack.log", "w") as log:
        process = subprocess.Popen(
            [TOOLS / "python", ROOT / "infra/local/emulator.py"],
            env=env,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    run_of_it = {"pid": process.pid, "port": port, "started": str(time.time_ns())}
    (LOCAL / "stack.json").write_text(json.dumps(run_of_it))
    deadline = time.monotonic() + START_SECONDS
    while not healthy(port):
        if process.poll() is not None or time.monotonic() > deadline:
            stop()
            fail_with_log("ministack did not start", LOCAL / "ministack.log")
        time.sleep(0.1)
    return run_of_it["started"]


def stop():
    """Stops ministack with its functions, which are in its process group; false if it did not run."""
    running = recorded()
    if running:
        signal_group(running["pid"], signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while alive(running["pid"]) and time.monotonic() < deadline:
            time.sleep(0.1)
        signal_group(running["pid"], signal.SIGKILL)
    for name in ("stack.json", "outputs.json", "deployed"):
        (LOCAL / name).unlink(missing_ok=True)
    shutil.rmtree(LOCAL / "tmp", ignore_errors=True)
    return running is not None


def recorded():
    """The run of ministack that `up` recorded, if it is still alive and answers."""
    state = json.loads(read(LOCAL / "stack.json") or "null")
    return state if state and alive(state["pid"]) and healthy(state["port"]) else None


def alive(pid):
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # reaps an ended child, which would look alive
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def signal_group(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def taken(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def endpoint(port):
    """By address: the clients of S3 put the bucket in front of a name, and no such name resolves."""
    return f"http://127.0.0.1:{port}"


def healthy(port):
    try:
        with direct().open(f"{endpoint(port)}/_ministack/health", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def direct():
    """An HTTP client that ignores the caller's proxies."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


# ---- deploy --------------------------------------------------------------------------------------


def deploy(port, wanted):
    """Deploys unless this run of ministack has this build already."""
    outputs = LOCAL / "outputs.json"
    if outputs.exists() and read(LOCAL / "deployed") == wanted:
        say(f"deploy: up to date ({outputs})")
        return
    log = LOCAL / "deploy.log"
    say(f"deploy: sam deploy (ten seconds; its log is {log})")
    command = [
        "sam",
        "deploy",
        "--template-file",
        str(LOCAL / "build/template.yaml"),
        *sam_options(ARCHITECTURE),
    ]
    with open(log, "w") as output:
        if subprocess.run(
            command, cwd=ROOT, env=environment(port), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ).returncode:
            fail_with_log("`sam deploy` failed; the likely cause is an error in template.yaml", log)
    outputs.write_text(json.dumps(stack_outputs(port), indent=2) + "\n")
    (LOCAL / "deployed").write_text(wanted)
    say(f"deploy: done ({outputs})")


def stack_outputs(port):
    """The stack's outputs, with a WebhookUrl by address: .localhost does not resolve everywhere."""
    import boto3

    client = boto3.client(
        "cloudformation",
        endpoint_url=endpoint(port),
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    stack = client.describe_stacks(StackName="webhook-gateway")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    api = outputs["WebhookUrl"].split("//")[1].split(".")[0]
    outputs["WebhookUrl"] = f"{endpoint(port)}/_aws/execute-api/{api}/webhooks"
    return outputs | {"AwsEndpointUrl": endpoint(port), "AwsRegion": REGION}


# ---- helpers --------------------------------------------------------------------------------


def run(command, env, cause="it says above why"):
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL)
    status = None
    while status is None:
        # Ctrl-C reaches the command too, which ends in its own way.
        with contextlib.suppress(KeyboardInterrupt):
            status = process.wait()
    if status:
        fail(f"`{' '.join(command[:2])}` failed: {cause}")


def read(path):
    return path.read_text() if path.exists() else None


def say(text):
    print(f"== {text}", flush=True)


def fail_with_log(text, log):
    last = "".join(f"    {line}\n" for line in log.read_text().splitlines()[-LOG_LINES:])
    fail(f"{text}. The last lines of {log}:\n{last}")


def fail(text):
    raise SystemExit(f"error: {text}")


if __name__ == "__main__":
    main(sys.argv[1:])
