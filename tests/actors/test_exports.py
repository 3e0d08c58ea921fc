import types

import ssasync.actors


def test_all_names_what_is_exported() -> None:
    public = {
        name
        for name, value in vars(ssasync.actors).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == set(ssasync.actors.__all__)
    assert len(ssasync.actors.__all__) == len(public)
