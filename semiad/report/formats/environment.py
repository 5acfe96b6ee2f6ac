"""The environment of the templates of pages."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def make_environment(*packages: str) -> Environment:
    """Make an environment of the templates in some packages, and of those here, which have what pages share."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name, ".") for name in (*packages, __name__.rpartition(".")[0])]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["verdicts"] = ()  # of which the shared style makes a rule each
    return environment
