"""Bytes that set_model takes for a TorchScript archive, where no test needs the model to run."""

import io
import zipfile


def archive_of(payload: bytes) -> bytes:
    """A zip file laid out like TorchScript's, with this payload."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("model/code/__torch__.py", b"")
        archive.writestr("model/constants.pkl", payload)
    return buffer.getvalue()
