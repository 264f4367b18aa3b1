"""Calls an entry point of an installed package: `wheel_main.py PACKAGE ENTRY_POINT ARGUMENT...`."""

import importlib
import sys
from importlib.metadata import PackageNotFoundError, distribution

# The job's code does not see the platform's modules.
del sys.path[0]


def main():
    package, name, *arguments = sys.argv[1:]
    function = find(package, name)
    sys.argv = [name, *arguments]
    sys.exit(function())


def find(package, name):
    """The entry point of that name, else the function of the package."""
    try:
        entry_points = list(distribution(package).entry_points)
    except PackageNotFoundError:
        sys.exit(f"the wheel has no package {package}")
    # The console's come first where several groups have the name.
    named = sorted((entry for entry in entry_points if entry.name == name), key=lambda entry: entry.group != "console_scripts")
    if named:
        return named[0].load()
    function = function_of(package.replace("-", "_"), name)
    if callable(function):
        return function
    names = ", ".join(sorted({entry.name for entry in entry_points})) or "none"
    sys.exit(f"the package {package} has neither an entry point nor a function {name}; its entry points: {names}")


def function_of(module, name):
    try:
        return getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        if error.name == module:
            return None
        raise


if __name__ == "__main__":
    main()
