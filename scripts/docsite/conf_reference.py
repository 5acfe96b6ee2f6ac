"""Pages about Hydra's groups and keys, read from the files under `conf/`, their comments included."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

# What an argument of a class or function means: (its dotted path, name of the argument) -> text, empty where unknown.
Meaning = Callable[[str, str], str]
LINKED = ("semiad.methods.", "semiad.networks.", "semiad.datasets.", "semiad.scenarios.")  # are on a page of their own


@dataclass(frozen=True)
class Key:
    """A key of a configuration, with its value as it is written, and what comments and docstrings say of it."""

    path: str
    value: str
    meaning: str


@dataclass(frozen=True)
class ConfigFile:
    """A yaml file of Hydra.

    Args:
        path: of the file.
        group: its group, say `hydra/launcher`; empty for the file that has no group.
    """

    path: Path
    group: str

    @cached_property
    def lines(self) -> list[str]:
        """Lines of the file."""
        return self.path.read_text().splitlines()

    @cached_property
    def root(self) -> yaml.Node | None:
        """Nodes of the file, with their places; None where it has comments only."""
        return yaml.compose("\n".join(self.lines), yaml.SafeLoader)

    @property
    def comment(self) -> str:
        """The comment at the head of the file."""
        lines = [line for line in self.lines if not line.startswith("# @package")]
        end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
        return " ".join(line.removeprefix("#").strip() for line in lines[:end])

    @property
    def defaults(self) -> list[str]:
        """Entries of the defaults list, as they are written."""
        node = dict(entries(self.root)).get("defaults")
        return [self.text(entry).strip("{}") for entry in node.value] if node else []

    def keys(self, meaning: Meaning) -> Iterator[Key]:
        """Yield the keys in the order of the file, by their paths on the command line."""
        prefix = "" if "# @package _global_" in self.lines[:1] else self.group.replace("/", ".")
        yield from self._keys(self.root, prefix, meaning)

    def _keys(self, mapping: yaml.Node | None, prefix: str, meaning: Meaning) -> Iterator[Key]:
        target = next((value.value for name, value in entries(mapping) if name == "_target_"), "")
        for key, value in mapping.value if mapping else ():
            if key.value == "defaults" and mapping is self.root:
                continue
            path = f"{prefix}.{key.value}" if prefix else key.value
            says = [self.comment_of(key, value)]
            if target and not key.value.startswith("_"):
                says.append(meaning(target, key.value))
            text = " ".join(dict.fromkeys(sentence(say) for say in says if say))
            if isinstance(value, yaml.MappingNode) and value.value:
                if text:
                    yield Key(path, "", text)
                yield from self._keys(value, path, meaning)
            else:
                yield Key(path, self.text(value), text)

    def text(self, node: yaml.Node) -> str:
        """The text of a node, on one line; lists and mappings as between brackets."""
        if isinstance(node, yaml.SequenceNode):
            return f"[{', '.join(self.text(item) for item in node.value)}]"
        if isinstance(node, yaml.MappingNode):
            return f"{{{', '.join(f'{self.text(key)}: {self.text(value)}' for key, value in node.value)}}}"
        if node.style in ("|", ">"):
            return " ".join(node.value.split())
        return " ".join("\n".join(self.lines)[node.start_mark.index : node.end_mark.index].split())

    def comment_of(self, key: yaml.Node, value: yaml.Node) -> str:
        """Comments in the lines above a key (but those at the head of the file), in its line, and behind its value."""
        first = key.start_mark.line
        if self.lines[first][: key.start_mark.column].strip():
            return ""  # it is that of the mapping around the key
        above: list[str] = []
        while first - 1 - len(above) >= 0 and self.lines[first - 1 - len(above)].lstrip().startswith("#"):
            above.insert(0, self.lines[first - 1 - len(above)].strip().removeprefix("#").strip())
        if first == len(above):
            above = []
        block = isinstance(value, yaml.CollectionNode) and not value.flow_style
        alias = value.start_mark.line < first
        line = self.lines[first][key.end_mark.column :] if block or alias else self.lines[value.end_mark.line]
        behind = line if block or alias else line[value.end_mark.column :]
        trailing = re.search(r"(?:^|\s)#\s*(.*)$", behind)
        return " ".join([*above, *([trailing[1]] if trailing else [])])


def sentence(text: str) -> str:
    """Write what is said of a key as a sentence; symbols such as k_l stay as they are."""
    word = re.match(r"[a-z]+(?=[\s,;:.]|$)", text)
    return (text[0].upper() + text[1:] if word else text).rstrip(".") + "."


def entries(mapping: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    """Names and nodes of a mapping."""
    return [(key.value, value) for key, value in mapping.value] if mapping else []


def groups(conf: Path) -> dict[str, list[ConfigFile]]:
    """Find the groups under a folder of configurations, each with its files by name."""
    found: dict[str, list[ConfigFile]] = {}
    for path in sorted(conf.rglob("*.yaml")):
        group = path.parent.relative_to(conf).as_posix()
        if group != ".":
            found.setdefault(group, []).append(ConfigFile(path, group))
    return found


def escape(text: str, pages: Path) -> str:
    """Write plain text, in which only backticks have a meaning, as Markdown; pages that it names become links."""
    parts = re.split(r"(`[^`]*`)", text)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"([*_\[\]|\\])", r"\\\1", parts[i].replace("&", "&amp;").replace("<", "&lt;"))

    def link(match: re.Match[str]) -> str:
        name = match[1].replace("\\", "")
        return f"[{name}](../../{name})" if (pages / name).is_file() else match[0]

    return re.sub(r"docs/([\w\\]+\.md)", link, "".join(parts))


def table(keys: list[Key], pages: Path) -> str:
    """Write keys as a table."""
    rows = ["| key | value | meaning |", "|---|---|---|"]
    for key in keys:
        value = f"`{key.value}`".replace("|", "\\|") if key.value else ""
        if key.path.endswith("_target_") and key.value.startswith(LINKED):
            value = f"[{value}][{key.value}]"
        rows.append(f"| `{key.path}` | {value} | {escape(key.meaning, pages)} |")
    return "\n".join(rows)


def group_page(group: str, files: list[ConfigFile], default: str, meaning: Meaning, pages: Path) -> str:
    """Write the page of a group.

    Args:
        group: its name.
        files: of the group.
        default: what the command takes where nothing is chosen; empty for nothing.
        meaning: of arguments.
        pages: folder of the pages that may be linked to.
    """
    taken = f"`{group}={default}` where nothing is chosen" if default else "nothing where none is chosen"
    parts = [f"# `{group}`", f"Chosen as `{group}=NAME`; the command takes {taken}. Read from `conf/{group}/`."]
    if group == "experiment/parts":
        parts = [
            f"# `{group}`",
            f"Parts that experiments share; they are not chosen by themselves. Read from `conf/{group}/`.",
        ]
    for file in files:
        parts += [f"## {file.path.stem}", escape(file.comment, pages)]
        if file.defaults:
            parts.append("Defaults list: " + ", ".join(f"`{entry}`" for entry in file.defaults) + ".")
        keys = list(file.keys(meaning))
        parts.append(table(keys, pages) if keys else "No keys.")
    return "\n\n".join(part for part in parts if part) + "\n"


def help_by_key(help_text: str) -> dict[str, str]:
    """Read what a help text says of each key: lines such as `seeds=[0,1]   draws`, continued by deeper lines."""
    texts: dict[str, str] = {}
    name = ""
    for line in help_text.partition("Keys:\n")[2].splitlines():
        entry = re.match(r"  '?(\w+)=\S*\s+(.*)", line)
        if entry:
            name = entry[1]
            texts[name] = entry[2]
        elif name and re.match(r" {10}", line):
            texts[name] += " " + line.strip()
        else:
            name = ""
    return texts


def keys_page(conf: Path, pages: Path) -> str:
    """Write the page of the keys of the command and of the groups' defaults."""
    file = ConfigFile(conf / "train.yaml", "")
    template = yaml.safe_load(file.path.read_text())["hydra"]["help"]["template"]
    helps = help_by_key(template)
    keys = [
        Key(key.path, key.value, (helps.get(key.path, "") + " " + key.meaning).strip())
        for key in file.keys(lambda target, argument: "")
    ]
    parts = [
        "# Keys of the command",
        "What `python -m semiad.train KEY=VALUE ...` takes, with the value where nothing is given, read from "
        "`conf/train.yaml`. The pages of the groups have the keys inside of a group: `method.lam.alpha=1`, "
        "`network.latent=16`, `dataset.name=cardio`.",
        table([key for key in keys if not key.path.startswith("hydra.")], pages),
        "## Groups",
        "| group | value | |\n|---|---|---|\n"
        + "\n".join(
            f"| [`{group}`]({page_name(group)}) | `{default_of(conf, group) or 'null'}` | "
            f"{escape(helps.get(group, ''), pages)} |"
            for group in groups(conf)
        ),
        "## Hydra's own keys",
        "What semiad sets of them: folders of the jobs, and what they print.",
        table([key for key in keys if key.path.startswith("hydra.") and not key.path.startswith("hydra.help.")], pages),
        "## Help",
        "`python -m semiad.train --help` lists the groups, and says of keys:",
        "```text\n" + template.partition("Keys:\n")[2].rstrip() + "\n```",
    ]
    return "\n\n".join(parts) + "\n"


def page_name(group: str) -> str:
    """The file name of the page of a group."""
    return group.replace("/", "_") + ".md"


def default_of(conf: Path, group: str) -> str:
    """What the command takes of a group where nothing is chosen; empty for nothing."""
    for entry in yaml.safe_load((conf / "train.yaml").read_text())["defaults"]:
        if isinstance(entry, dict):
            for name, value in entry.items():
                if name.removeprefix("override ") == group:
                    return str(value or "")
    return ""


def conf_pages(conf: Path, pages: Path, meaning: Meaning) -> dict[str, str]:
    """Write all pages about the configurations, by their file names.

    Args:
        conf: folder of the configurations.
        pages: folder of the pages that may be linked to.
        meaning: of arguments of what `_target_` names.
    """
    written = {"keys.md": keys_page(conf, pages)}
    for group, files in groups(conf).items():
        written[page_name(group)] = group_page(group, files, default_of(conf, group), meaning, pages)
    return written
