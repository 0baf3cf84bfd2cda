"""Mistakes in targets.yaml: each says where, what, what is accepted, and the near miss."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateproof.errors import ConfigError
from gateproof.targets.loader import Targets, load_targets

SHIPPED = Path(__file__).parents[2] / "targets.yaml"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "targets.yaml"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    return write


@pytest.fixture
def mistake_in(write: Write) -> Callable[..., str]:
    """The message about one target, `mine`, whose further lines are given."""

    def mistake_in(lines: str, environ: Mapping[str, str] | None = None) -> str:
        head = "targets:\n  mine:\n    stack: openai\n    base_url: http://127.0.0.1:8000\n    models: {chat: m}\n"
        file = write(head + textwrap.indent(textwrap.dedent(lines).strip("\n"), "    ") + "\n")
        with pytest.raises(ConfigError) as caught:
            load_targets(file).get("mine", environ=environ or {})
        return str(caught.value).removeprefix(f"{file}:")

    return mistake_in


THREE_LINES = """
    targets:
      mine:
        stack: openai
        base_url: http://127.0.0.1:8000
        models: {chat: my-model}
    """


def test_three_lines_are_enough(write: Write) -> None:
    target = load_targets(write(THREE_LINES)).get("mine")
    assert (target.url("chat"), target.models, target.main.key) == (
        "http://127.0.0.1:8000/v1/chat/completions",
        {"chat": "my-model"},
        None,
    )
    assert target.expectations == ["openai", "mine"]


def test_a_key_of_the_target_is_that_of_main(write: Write) -> None:
    target = load_targets(write(THREE_LINES + "    key: sk-1\n")).get("mine")
    assert target.main_tenant == "main"
    assert target.main.key is not None
    assert target.main.key.kind == "literal"


@pytest.mark.parametrize(
    ("lines", "line", "parts"),
    [
        pytest.param(
            "tennants: {}", 6, ["mine.tennants: unknown key; did you mean `tenants`?", "routes"], id="unknown key"
        ),
        pytest.param(
            "tenants:\n  free:\n    requets: {}",
            8,
            [
                "mine.tenants.free.requets: unknown key; did you mean `requests`?",
                "accepted here: requests, tokens, parallel, budget, key, headers",
            ],
            id="unknown key of a tenant",
        ),
        pytest.param(
            "tenants: {free: {requests: {limit: 5, widow: 2s, window: 2s}}}",
            6,
            ["mine.tenants.free.requests.widow", "`window`", "limit, window, algorithm, aligned"],
            id="unknown key of a limit",
        ),
        pytest.param(
            "routes: [{model: a, bakend: b}]", 6, ["mine.routes.0.bakend", "`backend`"], id="unknown key in a list"
        ),
        pytest.param(
            "tenants: {free: {requests: {limit: 5}}}",
            6,
            ["mine.tenants.free.requests.window: missing key"],
            id="missing key",
        ),
        pytest.param("context_window: many", 6, ["expected a whole number, found 'many'"], id="text for a number"),
        pytest.param("context_window: '8192'", 6, ["expected a whole number, found '8192'"], id="quoted number"),
        pytest.param("context_window: yes", 6, ["expected a whole number, found true"], id="truth for a number"),
        pytest.param("context_window: 0", 6, ["expected 1 or more, found 0"], id="nothing for a count"),
        pytest.param("load: {allowed: 1}", 6, ["expected true or false, found 1"], id="number for truth"),
        pytest.param("tenants: [free]", 6, ["mine.tenants: expected a mapping, found a list"], id="list for a mapping"),
        pytest.param(
            "routes: {model: a}", 6, ["mine.routes: expected a list, found a mapping"], id="mapping for a list"
        ),
        pytest.param("tls: true", 6, ["mine.tls: expected a mapping, found true"], id="truth for a block"),
        pytest.param("description:\n  - x", 6, ["mine.description: expected text, found a list"], id="list for text"),
        pytest.param(
            "promises: {keepalive: 15x}", 6, ["mine.promises.keepalive: not a duration: '15x'", "500ms"], id="bad unit"
        ),
        pytest.param("promises: {keepalive: -1}", 6, ["not a duration: -1"], id="negative duration"),
        pytest.param("promises: {keepalive: true}", 6, ["not a duration: True"], id="truth for a duration"),
        pytest.param(
            "capabilities:\n  f.stream: true\n  f.strem: true",
            8,
            ["mine.capabilities.f.strem: unknown capability `f.strem`; did you mean `f.stream`?", "f.tools"],
            id="unknown capability",
        ),
        pytest.param(
            "tenants: {a: {requests: {limit: 1, window: 1s, algorithm: slidng}}}",
            6,
            ["unknown word 'slidng'; did you mean `sliding`?", "fixed, sliding, bucket, unknown"],
            id="unknown algorithm",
        ),
        pytest.param(
            "launch: vlm", 6, ["unknown word 'vlm'; did you mean `vllm`?", "reference"], id="unknown launcher"
        ),
        pytest.param("connect: 10.0.0.1", 6, ["mine.connect: not an address: '10.0.0.1'", "IP:PORT"], id="no port"),
        pytest.param("host: ''", 6, ["mine.host: empty text"], id="empty text"),
        pytest.param("name: other", 6, ["mine.name: a target is named by its key"], id="name given twice"),
        pytest.param(
            "key: {env: A, file: b}", 6, ["mine.key: exactly one of these", "env, file"], id="two kinds of key"
        ),
        pytest.param("key: {}", 6, ["mine.key: exactly one of these", "none"], id="no kind of key"),
        pytest.param(
            "key: {evn: A}",
            6,
            ["mine.key.evn: unknown key; did you mean `env`?", "env, file, secret"],
            id="misspelt kind of key",
        ),
        pytest.param("key: {env: 'NOT A NAME'}", 6, ["mine.key.env"], id="no name of a variable"),
        pytest.param("key: [sk-1]", 6, ["mine.key: expected text or a mapping, found list"], id="list for a key"),
        pytest.param(
            "key: sk-1\ntenants: {main: {key: sk-2}}", 7, ["mine.tenants: ", "both given"], id="main's key given twice"
        ),
        pytest.param(
            "headers: {x-project: 7}",
            6,
            ["mine.headers.x-project: expected text", "found int"],
            id="number for a header",
        ),
        pytest.param(
            "routes: [{model: a, backend: x}, {model: a, backend: y}]",
            6,
            ["mine.routes.1.model", "`a` is routed twice"],
            id="model twice",
        ),
        pytest.param(
            "routes:\n  - {model: chat-a}\n  - {model: b, alias_of: chat-q}",
            8,
            ["mine.routes.1.alias_of: unknown model `chat-q`; did you mean `chat-a`?"],
            id="alias of nothing",
        ),
        pytest.param(
            "mint: {adapter: reference}",
            6,
            ["mine.mint.key: a key that may make others is needed"],
            id="mint without a key",
        ),
        pytest.param(
            "mint: {key: sk-1}",
            6,
            ["mine.mint.adapter: no way to make keys is known", "openai"],
            id="mint without a way",
        ),
        pytest.param("models: {chat: x}", 6, ["mine.models: duplicate key, first given in line 5"], id="duplicate key"),
        pytest.param(
            "tenants:\n  a: {}\n  a: {}",
            8,
            ["mine.tenants.a: duplicate key, first given in line 7"],
            id="duplicate tenant",
        ),
        pytest.param("no: 1", 6, ["the key no is not text: quote it"], id="a key that YAML takes for false"),
        pytest.param("<<: {host: x}", 6, ["`<<` is not supported", "extends: NAME"], id="merge key"),
        pytest.param("tenants: &a {x: *a}", 6, ["an anchor that contains itself"], id="endless anchor"),
        pytest.param("description: 'open", 7, ["not YAML: "], id="open quote"),
        pytest.param("description: !!python/name:os.system x", 6, ["not YAML: "], id="a tag that would run code"),
        pytest.param("extends: mine", 6, ["mine.extends: circular: mine → mine"], id="extends itself"),
        pytest.param("extends: 5", 6, ["mine.extends: unknown target 5"], id="extends a number"),
    ],
)
def test_a_mistake_is_told(mistake_in: Callable[..., str], lines: str, line: int, parts: list[str]) -> None:
    message = mistake_in(lines)
    assert message.startswith(f"{line}:")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        pytest.param(
            "stack: openai",
            "stack: litelm",
            ["mine.stack: unknown dialect `litelm`; did you mean `litellm`?", "tokenlabs"],
            id="stack",
        ),
        pytest.param(
            "http://127.0.0.1:8000",
            "127.0.0.1:8000",
            ["mine.base_url: not a base URL: '127.0.0.1:8000'", "https://"],
            id="no scheme",
        ),
        pytest.param(
            "{chat: my-model}",
            "{chatt: m}",
            ["mine.models.chatt: unknown key; did you mean `chat`?", "embeddings"],
            id="API",
        ),
        pytest.param("{chat: my-model}", "{}", ["mine.models: at least one model is needed"], id="no model"),
        pytest.param("stack: openai", "description: x", ["mine.stack: missing key"], id="no stack"),
        pytest.param("base_url: http://127.0.0.1:8000", "description: x", ["mine.base_url: missing key"], id="no URL"),
    ],
)
def test_a_mistake_in_the_first_lines_is_told(write: Write, old: str, new: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_targets(write(THREE_LINES.replace(old, new))).get("mine")
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("", ["the file is empty", "targets: {NAME: {...}}"], id="empty"),
        pytest.param("# nothing\n", ["the file is empty"], id="comments only"),
        pytest.param("- a\n", [":1: expected a mapping, found a list"], id="a list"),
        pytest.param("hello", [":1: expected a mapping, found 'hello'"], id="a word"),
        pytest.param("target: {}\n", [":1: target: unknown key; did you mean `targets`?"], id="misspelt top"),
        pytest.param("targets:\n", [":1: targets: expected a mapping of targets, found nothing"], id="no entry"),
        pytest.param("targets: []\n", ["targets: expected a mapping of targets, found a list"], id="list of targets"),
        pytest.param("a: b: c", ["not YAML: mapping values are not allowed"], id="not YAML"),
        pytest.param("targets: {a: {}}\n---\nb: 1\n", ["not YAML: "], id="two documents"),
    ],
)
def test_a_mistake_in_the_shape_of_the_file_is_told(write: Write, text: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_targets(write(text))
    for part in parts:
        assert part in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.yaml: cannot be read: No such file.*\n.*--targets FILE"):
        load_targets(tmp_path / "nope.yaml")


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "targets.yaml"
    file.write_bytes(b"targets: \xff")
    with pytest.raises(ConfigError, match="not UTF-8: byte 9"):
        load_targets(file)


def test_an_entry_that_is_no_mapping_is_told(write: Write) -> None:
    with pytest.raises(ConfigError, match=r":2: mine: expected a mapping, found 'x'"):
        load_targets(write("targets:\n  mine: x\n")).get("mine")


def test_an_unknown_target_has_a_near_miss(write: Write) -> None:
    with pytest.raises(ConfigError, match=r"unknown target `mien`; did you mean `mine`\?"):
        load_targets(write(THREE_LINES)).get("mien")


def test_more_mistakes_are_counted(mistake_in: Callable[..., str]) -> None:
    message = mistake_in("hosst: x\ncontext_window: x\npromises: {keepalive: x}")
    assert message.startswith("6: mine.hosst: ")
    assert "(and 2 more mistakes in `mine`)" in message


@pytest.mark.parametrize(
    "where", ["key: sk-hunter2", "tenants: {free: {key: sk-hunter2}}", "mint: {key: sk-hunter2, adapter: litellm}"]
)
def test_a_literal_key_is_for_loopback_only_and_never_shown(write: Write, where: str) -> None:
    remote = THREE_LINES.replace("127.0.0.1:8000", "gateway.example") + f"    {where}\n"
    with pytest.raises(ConfigError, match=r":7: mine\..*key: the key itself stands .*gateway\.example") as caught:
        load_targets(write(remote)).get("mine")
    assert "hunter2" not in str(caught.value)
    assert "{env: NAME}" in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.9.9.9", "http://[::1]:8000", "http://x.localhost"])
def test_loopback_has_several_names(write: Write, url: str) -> None:
    target = load_targets(write(THREE_LINES.replace("http://127.0.0.1:8000", url) + "    key: sk-1\n")).get("mine")
    assert target.is_loopback


def test_connect_decides_what_is_loopback(mistake_in: Callable[..., str]) -> None:
    assert "the key itself stands in the file" in mistake_in("connect: 10.0.0.1:80\nkey: sk-1")


def test_secrets_in_wrong_places_are_not_shown(mistake_in: Callable[..., str]) -> None:
    assert "hunter2" not in mistake_in("tenants: {free: {key: {env: sk-hunter2 x}}}")


EXTENDING = """
    targets:
      base:
        stack: litellm
        base_url: http://127.0.0.1:1
        models: {chat: a, embeddings: e}
        routes: [{model: a, backend: x}]
        promises: {keepalive: 1s, propagation: 2s}
      middle:
        extends: base
        promises: {keepalive: 3s}
      top:
        extends: middle
        routes: [{model: b, backend: y}]
        models: {chat: b}
    """


def test_extends_merges_mappings_and_replaces_lists(write: Write) -> None:
    target = load_targets(write(EXTENDING)).get("top")
    assert target.models == {"chat": "b", "embeddings": "e"}
    assert [route.model for route in target.routes] == ["b"]
    assert (target.promises.keepalive, target.promises.propagation) == (3.0, 2.0)
    assert target.expectations == ["litellm", "top"]


def test_extends_can_take_away(write: Write) -> None:
    text = textwrap.dedent(EXTENDING) + "  bare: {extends: top, host: x}\n  barer: {extends: bare, host: null}\n"
    assert load_targets(write(text)).get("bare").host == "x"
    assert load_targets(write(text)).get("barer").host is None


def test_where_points_to_the_line_of_an_ancestor(write: Write) -> None:
    file = write(EXTENDING)
    target = load_targets(file).get("top")
    assert target.where("promises", "propagation") == f"{file}:8 promises.propagation"
    assert target.where("promises", "keepalive") == f"{file}:11 promises.keepalive"
    assert target.where("tenants", "free") == f"{file}:12 tenants.free"


def test_where_survives_the_launch(write: Write) -> None:
    target = load_targets(write(EXTENDING)).get("top").running_at("http://127.0.0.1:2", control=["http://127.0.0.1:3"])
    assert target.where("models").endswith(":15 models")
    assert target.capability("up.ctl") == "supported"


def test_circular_extends_is_told_with_its_way(write: Write) -> None:
    text = "targets:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}\n"
    with pytest.raises(ConfigError, match=r":4: c\.extends: circular: a → b → c → a"):
        load_targets(write(text)).get("a")


def test_unknown_extends_has_a_near_miss(write: Write) -> None:
    with pytest.raises(ConfigError, match=r":10: middle\.extends: unknown target 'bsae'; did you mean `base`\?"):
        load_targets(write(EXTENDING.replace("extends: base", "extends: bsae"))).get("top")


def test_a_template_can_only_be_extended(write: Write) -> None:
    base = "targets:\n  _base: {stack: openai, models: {chat: m}}\n"
    targets = load_targets(write(base + "  mine: {extends: _base, base_url: 'http://127.0.0.1'}\n"))
    assert list(targets) == ["mine"]
    assert targets.get("mine").stack == "openai"
    with pytest.raises(ConfigError, match="unknown target `_base`"):
        targets.get("_base")


def test_other_targets_do_not_matter(write: Write) -> None:
    others = "  broken: {stak: 5}\n  remote: {stack: openai, base_url: {env: NOT_SET}, models: {chat: m}}\n"
    text = textwrap.dedent(THREE_LINES) + others
    assert load_targets(write(text)).get("mine", environ={}).name == "mine"


REMOTE = """
    targets:
      mine:
        stack: litellm
        base_url: {env: MY_URL}
        key: {env: MY_KEY}
        models: {chat: {env: MY_MODEL, default: gpt}}
    """


def test_variables_fill_in_urls_and_models(write: Write) -> None:
    target = load_targets(write(REMOTE)).get("mine", environ={"MY_URL": "https://gateway.example/", "MY_MODEL": " m "})
    assert (target.base_url, target.models["chat"]) == ("https://gateway.example", "m")
    assert load_targets(write(REMOTE)).get("mine", environ={"MY_URL": "http://x"}).models["chat"] == "gpt"


def test_a_missing_variable_is_named_with_its_near_miss(write: Write) -> None:
    said = r":5: mine\.base_url: environment variable MY_URL is not set; did you mean `MY_URI`\?"
    with pytest.raises(ConfigError, match=said):
        load_targets(write(REMOTE)).get("mine", environ={"MY_URI": "https://gateway.example"})


def test_a_mere_check_needs_no_variables(write: Write) -> None:
    targets = load_targets(write(REMOTE))
    assert targets.unresolved("mine").base_url == "${MY_URL}"
    assert targets.variables("mine") == ["MY_URL", "MY_KEY"]


@pytest.fixture(scope="module")
def shipped() -> Targets:
    return load_targets(SHIPPED)


@pytest.mark.parametrize("name", list(load_targets(SHIPPED)))
def test_the_shipped_targets_are_sound(shipped: Targets, name: str) -> None:
    environ = {variable: f"https://{variable.lower()}.example" for variable in shipped.variables(name)}
    assert shipped.get(name, environ=environ).name == name


def test_the_shipped_file_explains_its_variables(shipped: Targets) -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    comments = [line.strip() for line in lines if line.strip().startswith("#")]
    for name in shipped:
        for variable in shipped.variables(name):
            assert any(f"# {variable} " in comment for comment in comments), f"{variable} of {name} is not explained"
