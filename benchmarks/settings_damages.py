"""Damages to path.json, and command lines that mean nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kinds import Damaged, Kind
from scenes import Scene

FOLDER_KEYS = ("graph_path", "modal_path", "matrix_path", "user_embedding_path", "saved_path", "torch_model_path")

# ---- path.json as text

TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "a BOM": lambda content: b"\xef\xbb\xbf" + content,
    "CRLF": lambda content: content.replace(b"\n", b"\r\n"),
    "UTF-16": lambda content: content.decode().encode("utf-16"),
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "no UTF-8": lambda content: content.replace(b"dataset/", b"data\xffset/"),
    "null": lambda content: b"null",
    "a list": lambda content: b"[" + content + b"]",
    "nested a million deep": lambda content: b'{"seed": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    "a key twice": lambda content: content.rstrip()[:-1] + b', "seed": 5}',
    "NaN": lambda content: content.rstrip()[:-1] + b', "click_threshold": NaN}',
    "a comment": lambda content: b"// folders\n" + content,
    "a comma at the end": lambda content: content.rstrip()[:-1] + b",}",
    "a number of a million digits": lambda content: content.replace(b'"seed": 0', b'"seed": ' + b"7" * 1_000_000),
}


def edit_text(change: Callable[[bytes], bytes]) -> Callable[[Scene], Damaged]:
    """Return the damage of path.json as text."""

    def damage(scene: Scene) -> Damaged:
        scene.file.write_bytes(change(scene.file.read_bytes()))
        return Damaged([scene.file.name], scene.file.name)

    return damage


# ---- path.json as settings

WRONG_VALUES: dict[str, tuple[Any, ...]] = {
    "seed": (-1, 1.5, "0", True, None, [0], 2**63, 2**64, 10**40),
    "user_embedding_length": (-1, 500, 21.5, "21", None, True),
    "user_reduction": ("PCA", "", None, 1, ["pca"]),
    "protocol": ("Clean", "", None, 1, {}),
    "click_threshold": (-1, 2, "0.5", None, True, [0.5], 1e400),
    "min_interactions": (50, None, {"wechat": -1}, {"wechat": "50"}, {"netflix": 3}, {"wechat": 1e9, "tiktok": 1e9}),
    "graph_path": ("", None, 7, "a\0b", ["a"], "a" * 5000, "/dev/null", "/dev/null/a", "path.json"),
    "parent_folder": ("", None, "path.json", "/proc/here", "a" * 300),
}


def wrong_value(key: str) -> Callable[[Scene], dict[str, Any]]:
    """Return what gives a key a value that it cannot have."""
    return lambda scene: {key: scene.chance.choice(WRONG_VALUES[key])}


def one_folder(scene: Scene) -> dict[str, Any]:
    """Let two keys lead to one folder, by different words."""
    first, second = scene.chance.sample(FOLDER_KEYS, 2)
    return {first: "one/folder", second: scene.chance.choice(("one/folder", "one/./folder", "one/other/../folder"))}


def linked(make: Callable[[Path], None]) -> Callable[[Scene], dict[str, Any]]:
    """Return what lets a key lead over a link."""

    def change(scene: Scene) -> dict[str, Any]:
        make(scene.folder / "link")
        return {scene.chance.choice(FOLDER_KEYS): "link"}

    return change


def linked_twice(scene: Scene) -> dict[str, Any]:
    """Let two keys lead to one folder, one of them over a link."""
    first, second = scene.chance.sample(FOLDER_KEYS, 2)
    (scene.folder / "one").mkdir()
    (scene.folder / "link").symlink_to("one")
    return {first: "one", second: "link"}


CHANGES: dict[str, Callable[[Scene], dict[str, Any]]] = {
    **{f"a wrong {key}": wrong_value(key) for key in WRONG_VALUES},
    "an unknown key": lambda scene: {scene.chance.choice(("Seed", "seed ", "matrix-path", "", "x" * 100_000)): 1},
    "two keys for one folder": one_folder,
    "a link that leads nowhere": linked(lambda link: link.symlink_to("nowhere")),
    "links in a circle": linked(lambda link: link.symlink_to(link)),
    "a link to a file": linked(lambda link: link.symlink_to("path.json")),
    "two keys for one folder, over a link": linked_twice,
    "nobody is kept": lambda scene: {"min_interactions": {"wechat": 10**9, "tiktok": 10**9}},
}


def edit_settings(change: Callable[[Scene], dict[str, Any]]) -> Callable[[Scene], Damaged]:
    """Return the damage of the values in path.json."""

    def damage(scene: Scene) -> Damaged:
        changed = change(scene)
        scene.file.write_text(json.dumps({**json.loads(scene.file.read_bytes()), **changed}))
        return Damaged([scene.file.name, *changed], f"{changed!r:.100}")

    return damage


# ---- command lines: script, words beside --paths, what a refusal has to name

COMMANDS: dict[str, tuple[str, list[str], str]] = {
    "batches of one": ("mlp", ["--batch_size", "1"], "batch_size"),
    "no feature": ("mlp", ["--feature", ""], "feature"),
    "a feature beside a group": ("mlp", ["--feature", "visual", "--modal_select", "tri_cross"], "modal_select"),
    "an unknown feature": ("mlp", ["--feature", "smell"], "smell"),
    "no epochs": ("mlp", ["--epochs", "0"], "epochs"),
    "half an epoch": ("mlp", ["--epochs", "0.5"], "epochs"),
    "a rate of nan": ("mlp", ["--learning_rate", "nan"], "learning_rate"),
    "a rate of inf": ("mlp", ["--learning_rate", "inf"], "learning_rate"),
    "a negative rate": ("mlp", ["--learning_rate", "-1"], "learning_rate"),
    "a negative seed": ("mlp", ["--seed", "-1"], "seed"),
    "a seed of 65 bits": ("mlp", ["--seed", str(2**65)], "seed"),
    "an option of the model that it has not": ("mlp", ["--set", "size=3"], "size"),
    "an option of the model without a value": ("mlp", ["--set", "hidden"], "hidden"),
    "widths of 0": ("mlp", ["--set", "hidden=0,4"], "hidden"),
    "an abbreviation": ("mlp", ["--epoch", "3"], "epoch"),
    "an unknown model": ("mlp", ["--model", "../mma4ctr"], "model"),
    "tested never": ("mlp", ["--eval_every", "0"], "eval_every"),
    "no patience": ("mlp", ["--patience", "0"], "patience"),
    "neither true nor false": ("mlp", ["--lr_change", "perhaps"], "lr_change"),
    "a data set for a task": ("mlp", ["--dataset", "tiktok"], "dataset"),
    "a task for a data set": ("cross_matrix", ["--dataset", "tiktok_like"], "dataset"),
    "no data set": ("gen_matrix", ["--dataset"], "dataset"),
    "an unknown protocol": ("get_user_embedding", ["--protocol", "dirty"], "protocol"),
    "no jobs": ("adjust_hyperparameter", ["--jobs", "0"], "jobs"),
    "no seeds": ("adjust_hyperparameter", ["--seeds", "0"], "seeds"),
    "no cluster": ("preprocess_inter", ["--force", "--scheduler", "nowhere"], "nowhere"),
}
ENVIRONMENTS: dict[str, Mapping[str, str]] = {
    "WORLD_SIZE alone": {"WORLD_SIZE": "2"},
    "a RANK that is no number": {"WORLD_SIZE": "2", "RANK": "x", "LOCAL_RANK": "0"},
    "a RANK beyond the size": {"WORLD_SIZE": "1", "RANK": "5", "LOCAL_RANK": "0"},
}


def command(script: str, words: list[str], name: str) -> Callable[[Scene], Damaged]:
    """Return the command line that means nothing."""
    return lambda scene: Damaged([name], " ".join(words), (script, ["--paths", str(scene.file), *words]))


def environment(variables: Mapping[str, str]) -> Callable[[Scene], Damaged]:
    """Return an environment that means nothing."""
    return lambda scene: Damaged([*variables, "torchrun"], f"{dict(variables)}", environment=variables)


KINDS = [
    *(Kind(f"path.json: {name}", "raw", ("steps",), edit_text(change)) for name, change in TEXTS.items()),
    *(Kind(f"path.json: {name}", "raw", ("steps",), edit_settings(change)) for name, change in CHANGES.items()),
    *(Kind(f"command: {name}", "built", ("command",), command(*row)) for name, row in COMMANDS.items()),
    *(Kind(f"environment: {name}", "built", ("mlp",), environment(row)) for name, row in ENVIRONMENTS.items()),
]
