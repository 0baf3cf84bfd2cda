"""Keys: resolved late, named when missing, never shown."""

from __future__ import annotations

import base64
import builtins
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateproof.errors import ConfigError
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_headers, resolve_key, resolve_value
from gateproof.targets.values import KeyRef, Value


def resolve(written: Any, environ: dict[str, str] | None = None, tenant: str = "free") -> str:
    return resolve_key(KeyRef.model_validate(written), tenant, "tokenlabs", environ=environ or {}).reveal()


def test_a_secret_shows_only_when_revealed() -> None:
    secret = Secret("sk-hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {secret:>20} {[secret]} {vars(SimpleNamespace(key=secret))}"
    assert secret.reveal() == "sk-hunter2"
    assert secret == Secret("sk-hunter2")
    assert secret != "sk-hunter2"
    assert len({secret, Secret("sk-hunter2"), Secret("x")}) == 2


def test_a_secret_travels_between_processes() -> None:
    assert pickle.loads(pickle.dumps(Secret("sk-1"))) == Secret("sk-1")


def test_each_kind_is_resolved(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" sk-file\n")
    assert resolve("sk-literal") == "sk-literal"
    assert resolve({"env": "K"}, {"K": "sk-env\n"}) == "sk-env"
    assert resolve({"file": str(tmp_path / "key")}) == "sk-file"


def test_a_missing_variable_names_itself_and_the_tenant() -> None:
    said = r"^tokenlabs\.tenants\.free\.key: environment variable LABS_KEY is not set; did you mean `LAB_KEY`\?$"
    with pytest.raises(ConfigError, match=said):
        resolve({"env": "LABS_KEY"}, {"LAB_KEY": "x"})


def test_an_empty_variable_is_told_from_a_missing_one() -> None:
    with pytest.raises(ConfigError, match="LABS_KEY is set but empty"):
        resolve({"env": "LABS_KEY"}, {"LABS_KEY": " "})


def test_the_minting_key_is_named_as_such() -> None:
    with pytest.raises(ConfigError, match=r"^tokenlabs\.mint\.key: environment variable ADMIN"):
        resolve({"env": "ADMIN"}, tenant="mint")


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), (b"", "is empty"), (b"\xff", "not UTF-8")])
def test_a_bad_key_file_is_told(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"tokenlabs\.tenants\.free\.key: .*{file}.*{said}"):
        resolve({"file": str(file)})


IN_CLUSTER = {"secret": {"namespace": "labs", "name": "keys", "key": "free"}}


def test_a_cluster_key_without_the_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "kubernetes":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'gateproof\[cluster\]'"):
        resolve(IN_CLUSTER)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The data of the Secret that the API server answers with."""
    kubernetes = pytest.importorskip("kubernetes", reason="the extra `cluster` is not installed")
    data: dict[str, str] = {}

    class Api:
        def __init__(self, client: object) -> None: ...

        def read_namespaced_secret(self, name: str, namespace: str) -> Any:
            if (namespace, name) != ("labs", "keys"):
                raise kubernetes.client.ApiException(status=404, reason="Not Found")
            return SimpleNamespace(data=data or None)

    monkeypatch.setattr(kubernetes.config, "new_client_from_config", lambda **_: None)
    monkeypatch.setattr(kubernetes.client, "CoreV1Api", Api)
    return data


def test_a_cluster_key_is_decoded(cluster: dict[str, str]) -> None:
    cluster["free"] = base64.b64encode(b"sk-cluster\n").decode()
    assert resolve(IN_CLUSTER) == "sk-cluster"


def test_a_missing_cluster_key_has_a_near_miss(cluster: dict[str, str]) -> None:
    cluster["fre"] = ""
    with pytest.raises(ConfigError, match=r"Secret labs/keys has no key free; did you mean `fre`\?"):
        resolve(IN_CLUSTER)


def test_a_missing_cluster_secret_is_told(cluster: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="Secret labs/nope cannot be read: 404 Not Found"):
        resolve({"secret": {"namespace": "labs", "name": "nope", "key": "free"}})


def test_no_way_to_the_cluster_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("kubernetes", reason="the extra `cluster` is not installed")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="Secret labs/keys cannot be read: "):
        resolve(IN_CLUSTER)


def test_values_take_their_default_for_an_empty_variable() -> None:
    value = Value.model_validate({"env": "A", "default": "b"})
    assert [resolve_value(value, "x", environ=environ) for environ in ({}, {"A": ""}, {"A": "c"})] == ["b", "b", "c"]


def test_headers_of_a_tenant_are_laid_over_those_of_the_target() -> None:
    target = Target.model_validate(
        {
            "name": "t",
            "stack": "openai",
            "base_url": "http://127.0.0.1",
            "models": {"chat": "m"},
            "headers": {"x-a": "1", "x-b": {"env": "B"}},
            "tenants": {"main": {"headers": {"x-a": "2"}}},
        }
    )
    assert resolve_headers(target, environ={"B": "3"}) == {"x-a": "1", "x-b": "3"}
    assert resolve_headers(target, "main", environ={"B": "3"}) == {"x-a": "2", "x-b": "3"}
    with pytest.raises(ConfigError, match=r"t\.headers\.x-b: environment variable B is not set"):
        resolve_headers(target, environ={})
