"""Hooks of mkdocs: pages that are not in `docs/`, and links that hold in the repository as well as on the site."""

import posixpath
from functools import cache
from pathlib import Path
from string import punctuation
from xml.etree.ElementTree import Element, SubElement

import griffe
from conf_reference import conf_pages
from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT = Path(__file__).resolve().parents[2]
PROJECT = {  # files of the repository that are pages of the site
    "README.md": "project/readme.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
}
PYTHON = {  # pages of the reference of Python: title, what it says first, names
    "detector": ("Detector", "`from semiad import Detector`.", ["semiad.detector.estimator.Detector"]),
    "images": (
        "Images",
        "`from semiad.images import Images, read_images`.",
        ["semiad.images.read_images", "semiad.images.Images", "semiad.images.preprocessor.ImagePreprocessor"],
    ),
    "tabular": (
        "Tables",
        "What turns the columns of a table into numbers.",
        ["semiad.tabular.preprocessor.TablePreprocessor"],
    ),
    "methods": ("Methods", "The base class, `semiad.methods.base.Method`, and all methods.", ["semiad.methods"]),
    "networks": ("Networks", "What `network=NAME` makes.", ["semiad.networks"]),
    "scenarios": ("Scenarios", "What `scenario=NAME` makes.", ["semiad.scenarios"]),
    "datasets": ("Data sets", "What `dataset=NAME` loads.", ["semiad.datasets"]),
    "datamodule": (
        "Data modules",
        "Rows of a run for Lightning's `Trainer`, and the types that they come in.",
        ["semiad.datamodule", "semiad.types"],
    ),
    "losses": ("Losses", "The equations of the papers, one function each.", ["semiad.losses"]),
    "metrics": ("Metrics", "What is computed from scores and truth.", ["semiad.metrics"]),
    "testing": ("Testing", "For the tests of a package of your own.", ["semiad.testing"]),
}


@cache
def package() -> griffe.Module:
    """Read semiad, without importing it."""
    loaded = griffe.load("semiad", search_paths=[ROOT], allow_inspection=False, docstring_parser="google")
    assert isinstance(loaded, griffe.Module)
    return loaded


def meaning(target: str, argument: str) -> str:
    """What docstrings say of an argument of a class or function of semiad, or of a class that it is derived from."""
    if not target.startswith("semiad."):
        return ""
    named = package()[target.removeprefix("semiad.")]
    for item in [named, *(named.mro() if isinstance(named, griffe.Class) else [])]:
        for section in item.docstring.parsed if item.docstring else []:
            if isinstance(section, griffe.DocstringSectionParameters):
                for parameter in section.value:
                    # "See `Base`." is followed to the base class.
                    if parameter.name == argument and not parameter.description.startswith("see `"):
                        return " ".join(parameter.description.split())
    return ""


class Links(Treeprocessor):
    """Points links of a page to the pages of the site; what is in the repository only is named as code."""

    uri = ""

    def run(self, root: Element) -> None:
        """Change the links of a page."""
        source = next((name for name, uri in PROJECT.items() if uri == self.uri), f"docs/{self.uri}")
        for element in root.iter():
            for name in ("href", "src"):
                link = element.get(name)
                if link and "://" not in link and not link.startswith(("#", "mailto:")):
                    path, _, anchor = link.partition("#")
                    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
                    uri = PROJECT.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
                    if uri:
                        relative = posixpath.relpath(uri, posixpath.dirname(self.uri) or ".")
                        element.set(name, relative + (f"#{anchor}" if anchor else ""))
                    elif (ROOT / path).exists():
                        name_as_code(element, path)


def name_as_code(link: Element, path: str) -> None:
    """Make a link to a file that is no page the text that it has, with the path of the file as code."""
    text, tail = "".join(link.itertext()), link.tail
    link.clear()
    link.tag, link.tail = "span", tail
    if path == f"{text.replace('.', '/')}.py":
        path = text  # a module
    elif not path.endswith(text.strip("/")):
        link.text, link.tail = f"{text} (", f"){tail or ''}"
    SubElement(link, "code").text = AtomicString(path)


class CodeHostMarkdown(Extension):
    """Reads pages as code hosts do: links by `Links`, and a backslash before any punctuation."""

    def __init__(self) -> None:
        super().__init__()
        self.uri = ""

    def extendMarkdown(self, md: Markdown) -> None:
        """Register the processor: after inline patterns (20), before the check of mkdocs (0)."""
        md.ESCAPED_CHARS += sorted(set(punctuation) - {*md.ESCAPED_CHARS})
        links = Links(md)
        links.uri = self.uri
        md.treeprocessors.register(links, "repository_links", 5)


MARKDOWN = CodeHostMarkdown()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give headings the anchors that code hosts give them, and point links to pages."""
    config.mdx_configs["toc"] = {"slugify": slugify(case="lower"), "permalink": True, "toc_depth": 3}
    config.markdown_extensions.append(MARKDOWN)  # type: ignore[arg-type] # an object is as good as a name
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in `docs/`."""
    made = {uri: (ROOT / name).read_text() for name, uri in PROJECT.items()}
    for name, (title, first, names) in PYTHON.items():
        made[f"reference/python/{name}.md"] = "\n\n".join([f"# {title}", first, *(f"::: {name}" for name in names), ""])
    for name, text in conf_pages(ROOT / "conf", ROOT / "docs", meaning).items():
        made[f"reference/hydra/{name}"] = text
    for uri, text in made.items():
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> None:
    """Tell the links of which page they are."""
    MARKDOWN.uri = page.file.src_uri
