"""Write cyclient/test_vectors from the tests' own reading of WIRE.md, which shares no code with the core.

Run it after a change of the wire format: python -m tests.cyclient.write_test_vectors
"""

from pathlib import Path
from typing import Any

import numpy as np

from tests.cyclient.wire_format import encode_header, encode_metadata, encode_request, encode_tensor, proof

FOLDER = Path(__file__).parents[2] / "cyclient" / "test_vectors"
NUMBERS = np.array([[0, 1, 2], [3, 100, 127]])
REALS = np.array([[0.0, -1.5, 2.25], [1024.0, -0.0078125, 65504.0]])
F = np.asfortranarray
RANK_0, EMPTY = np.array(-2.5), np.zeros((3, 0, 2), "i4")

TENSORS: dict[str, np.ndarray] = {
    **{f"{name}_row": NUMBERS.astype(name) for name in ("uint8", "uint16", "uint32", "uint64")},
    **{f"{name}_row": (-NUMBERS).astype(name) for name in ("int8", "int16", "int32", "int64")},
    **{f"{name}_row": REALS.astype(name) for name in ("float16", "float32", "float64")},
    **{f"{name}_row": (REALS - 0.5j).astype(name) for name in ("complex64", "complex128")},
    "bool_row": NUMBERS % 2 == 1,
    "int64_extremes": np.array([-(2**63), 2**63 - 1]),
    "uint64_extremes": np.array([0, 2**64 - 1], "u8"),
    "float64_special": np.array([np.inf, -np.inf, -0.0, 5e-324]),
    "float32_column": F(REALS.astype("f4")),
    "float64_column_3d": F(np.arange(24.0).reshape(2, 3, 4)),
    "int16_column": F(NUMBERS.astype("i2")),
    "float64_0d": RANK_0,
    "bool_0d": np.array(True),
    "int32_empty": EMPTY,
    "float64_empty_1d": np.zeros(0),
    "float32_one_row": REALS[:1].astype("f4"),
    "uint8_5_dimensions": np.arange(8, dtype="u1").reshape(2, 1, 2, 1, 2),
    "uint8_6_dimensions": np.arange(4, dtype="u1").reshape(1, 2, 1, 1, 2, 1),
    "int8_32_dimensions": np.array([1, 2], "i1").reshape((1,) * 31 + (2,)),
    "string_row": np.array([[b"u", b"salinity"], [b"", b"v"]]),
    "unicode_row": np.array(["wind", "", "Übergröße", "\U0001f30a"]),
}


def element_text(value: object) -> str:
    """One element: integers and truth values decimal, complex numbers as two reals, strings as UTF-8."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, complex):
        return f"{value.real!r} {value.imag!r}"
    return value if isinstance(value, str) else repr(value)


def tensor_lines() -> list[str]:
    lines = []
    for name, array in TENSORS.items():
        column = array.flags.f_contiguous and not array.flags.c_contiguous
        dtype = {"S": "string", "U": "unicode"}.get(array.dtype.kind, array.dtype.name)
        elements = ",".join(element_text(value) for value in array.ravel(order="C").tolist())
        shape = ",".join(map(str, array.shape))
        lines.append(
            tab(name, dtype, array.itemsize, "column" if column else "row", shape, elements, encode_tensor(array))
        )
    bfloat16 = encode_header(13, 2, (3,)) + bytes.fromhex("803f 00c0 0000")
    lines.append(tab("bfloat16_row", "bfloat16", 2, "row", "3", "1.0,-2.0,0.0", bfloat16))
    # Read, never written: what is both row- and column-major says row-major.
    lines.append(tab("float64_1d_says_column", "float64", 8, "column", "2", "1.0,2.0", one_dimension(order=1)))
    return lines


def one_dimension(**fields: int) -> bytes:
    """The tensor [1.0, 2.0] with some fields of its header replaced."""
    return patched(encode_tensor(np.array([1.0, 2.0])), **fields)


PLACES = {"version": (4, 1), "dtype": (5, 1), "ndim": (6, 1), "order": (7, 1), "offset": (8, 4), "itemsize": (12, 4)}
PLACES |= {"size": (16, 8), "extent": (24, 8), "extent_1": (32, 8)}


def patched(value: bytes, **fields: int) -> bytes:
    for field, number in fields.items():
        at, size = PLACES[field]
        value = value[:at] + number.to_bytes(size, "little") + value[at + size :]
    return value


def refused_lines() -> list[str]:
    good = one_dimension()
    two = encode_tensor(np.array([[1.0, 2.0]]))
    text = encode_tensor(np.array(["ab"]))
    huge = 1 << 62
    cases: dict[str, bytes] = {
        "nothing": b"",
        "other_bytes": b"hello, this is a value of some other program, longer than a header of ours is",
        "magic_alone": b"SSAT",
        "magic_in_lower_case": b"ssat" + good[4:],
        "cut_in_the_header": good[:63],
        "cut_in_the_elements": good[:-1],
        "one_byte_more": good + b"\0",
        "header_alone": good[:64],
        "dtype_0": one_dimension(dtype=0),
        "dtype_18": one_dimension(dtype=18),
        "dtype_255": one_dimension(dtype=255),
        "order_2": one_dimension(order=2),
        "ndim_33": one_dimension(ndim=33),
        "ndim_255": one_dimension(ndim=255),
        "ndim_of_a_longer_header": one_dimension(ndim=6),
        "ndim_0_with_two_elements": one_dimension(ndim=0),
        "offset_0": one_dimension(offset=0),
        "offset_24": one_dimension(offset=24),
        "offset_128": one_dimension(offset=128),
        "offset_past_the_end": one_dimension(offset=(1 << 32) - 64),
        "itemsize_4": one_dimension(itemsize=4),
        "itemsize_0": one_dimension(itemsize=0),
        "size_too_small": one_dimension(size=8),
        "size_too_large": one_dimension(size=24),
        "size_huge": one_dimension(size=(1 << 64) - 1),
        "extent_too_small": one_dimension(extent=1),
        "extent_too_large": one_dimension(extent=3),
        "extent_negative": one_dimension(extent=(1 << 64) - 2),
        "product_overflows_to_the_size": patched(two, extent=huge, extent_1=8, size=0)[:64],
        "product_overflows_63_bits": patched(two, extent=1 << 31, extent_1=1 << 31, size=16),
        "overflow_hidden_by_a_zero": patched(two, extent=huge, extent_1=0, size=0)[:64],
        "string_of_no_bytes": patched(encode_tensor(np.array([b"ab"])), itemsize=0, size=0)[:64],
        "string_of_2_GiB_and_no_elements": patched(encode_tensor(np.zeros(0, "S1")), itemsize=1 << 31),
        "unicode_of_6_bytes": patched(text, itemsize=6, size=6)[:70],
        "unicode_of_no_bytes": patched(text, itemsize=0, size=0)[:64],
    }
    lines = [tab(name, "header", value) for name, value in cases.items()]
    versions = {"version_0": one_dimension(version=0), "version_2": one_dimension(version=2)}
    return lines + [tab(name, "version", value) for name, value in versions.items()]


def key_lines() -> list[str]:
    lines = [
        tab("tensor", "", "u", "", "u"),
        tab("tensor", "ens_3", "u", "", "ens_3.u"),
        tab("tensor", "ens_3", "rank_0.u field", "", "ens_3.rank_0.u field"),
        tab("tensor", "", "größe", "", "größe"),
        tab("bytes", "", "mesh.nc", "", "mesh.nc"),
        tab("bytes", "ens_3", "mesh.nc", "", "ens_3.mesh.nc"),
        tab("dataset", "", "ocean", "", "{ocean}.meta"),
        tab("dataset", "ens_3", "ocean", "", "ens_3.{ocean}.meta"),
        tab("dataset", "ens_3", "größe 1", "", "ens_3.{größe 1}.meta"),
        tab("dataset_tensor", "", "ocean", "u", "{ocean}.u"),
        tab("dataset_tensor", "ens_3", "ocean", "rank_0.u field", "ens_3.{ocean}.rank_0.u field"),
        tab("run_tensor", "", "u", "", "u"),
        tab("run_tensor", "ens_3", "u", "", "ens_3.u"),
        tab("run_tensor", "", "{ocean}.u", "", "{ocean}.u"),
        tab("run_tensor", "ens_3", "{ocean}.u.v", "", "ens_3.{ocean}.u.v"),
        tab("list", "", "snapshots", "", "snapshots"),
        tab("list", "ens_3", "snapshots", "", "ens_3.snapshots"),
        tab("control", "", "ens_3", "", "{ssa:control:ens_3}requests"),
        tab("worker_list", "", "", "", "{ssa:workers:all}list"),
    ]
    for kind in ("model", "script"):
        for prefix, name in (("", "closure"), ("ens_3", "ens_3.closure")):
            lines += [
                tab(f"{kind}_current", prefix, "closure", "", f"{{ssa:{kind}:{name}}}current"),
                tab(f"{kind}_counter", prefix, "closure", "", f"{{ssa:{kind}:{name}}}counter"),
                tab(f"{kind}_blob", prefix, "closure", "12", f"{{ssa:{kind}:{name}}}12.blob"),
                tab(f"{kind}_metadata", prefix, "closure", "12", f"{{ssa:{kind}:{name}}}12.meta"),
            ]
    return lines


METADATA: dict[str, tuple[str, list[Any]]] = {
    "bool": ("bool", [True, False, True]),
    "int32": ("int32", [0, -1, 2**31 - 1, -(2**31)]),
    "int64": ("int64", [-(2**63), 2**63 - 1]),
    "uint32": ("uint32", [2**32 - 1]),
    "uint64": ("uint64", [2**64 - 1, 0]),
    "float32": ("float32", [0.5, -1.25]),
    "float64": ("float64", [-0.0, 5e-324, float("inf")]),
    "float64_no_values": ("float64", []),
    "string": ("string", ["wind", "", "Übergröße 🌊"]),
    "string_one_empty": ("string", [""]),
    "string_no_values": ("string", []),
}


def metadata_lines() -> list[str]:
    one, strings = encode_metadata("int64", [1]), encode_metadata("string", ["ab", "c"])
    refused = {
        "nothing": b"",
        "type_0": bytes([0]) + one[1:],
        "type_int8": bytes([2, 1]),
        "type_complex64": bytes([14]) + one[1:],
        "type_unicode": bytes([17]) + strings[1:],
        "type_255": bytes([255]),
        "scalar_cut": one[:-1],
        "one_byte_more": one + b"\0",
        "truth_value_2": bytes([1, 2]),
        "string_cut": strings[:-1],
        "length_cut": strings[:14],
        "length_too_long": patched_length(strings, 100),
        "length_that_overflows": patched_length(strings, 2**64 - 8),
        "length_too_short": patched_length(strings, 1),
    }
    lines = [
        tab(name, kind, len(values), ",".join(map(element_text, values)), encode_metadata(kind, values))
        for name, (kind, values) in METADATA.items()
    ]
    return lines + [tab(name, "refused", "", "", entry) for name, entry in refused.items()]


def patched_length(entry: bytes, length: int) -> bytes:
    """The length of the first string replaced."""
    return entry[:1] + length.to_bytes(8, "little") + entry[9:]


WORKER_ID = b"00112233445566778899aabbccddeeff"
NONCES = bytes(range(32)), bytes(range(255, 223, -1))


def proof_lines() -> list[str]:
    secrets = [b"secret", b"", b"k" * 64, b"longer than a block of SHA-256 " * 5, "schlüssel".encode()]
    return [
        tab(role, secret, WORKER_ID.decode(), *NONCES, proof(role, secret, WORKER_ID, *NONCES))
        for secret in secrets
        for role in ("client", "worker")
    ]


def message_lines() -> list[str]:
    tensor = encode_tensor(TENSORS["float64_0d"])
    client_nonce, _ = NONCES
    run = ("SSA.RUN", 7, 2, 60000, "closure", "")
    return [
        tab("hello", encode_request("SSA.HELLO", 1, WORKER_ID, client_nonce)),
        tab("proof", encode_request("SSA.PROOF", proof("client", b"secret", WORKER_ID, *NONCES))),
        tab("run_float64_0d_and_key_u", encode_request(*run, "T", tensor, "K", "u")),
        tab("run_without_inputs", encode_request(*run)),
        tab("run_least_version_3", encode_request(*run, "V", 3)),
        tab("reply_version_3_float64_0d", b"*3\r\n:7\r\n$1\r\n3\r\n$%d\r\n%b\r\n" % (len(tensor), tensor)),
        tab("reply_error", b"*2\r\n:7\r\n-BADINPUT expected 3 columns, got 2\r\n"),
        tab("alive_place_4", b">3\r\n+alive\r\n:7\r\n:4\r\n"),
    ]


def tab(*fields: str | int | bytes) -> str:
    return "\t".join(field.hex() if isinstance(field, bytes) else str(field) for field in fields)


def files() -> dict[str, str]:
    """Name and text of each file."""
    tables = {
        "tensors.tsv": ("name dtype bytes_an_element order shape elements_in_row_major_order value", tensor_lines()),
        "refused.tsv": ("name reason value", refused_lines()),
        "keys.tsv": ("kind prefix name part key", key_lines()),
        "metadata.tsv": ("name type how_many values entry", metadata_lines()),
        "proofs.tsv": ("role secret worker_id client_nonce worker_nonce proof", proof_lines()),
        "messages.tsv": ("name bytes", message_lines()),
    }
    head = '# Written by tests/cyclient/write_test_vectors.py; WIRE.md, "Test vectors", says how to read it.\n'
    return {
        name: head + "# " + columns.replace(" ", "\t") + "\n" + "".join(f"{line}\n" for line in lines)
        for name, (columns, lines) in tables.items()
    }


def read(name: str) -> list[list[str]]:
    """The rows of one file."""
    lines = (FOLDER / name).read_text(encoding="utf-8").split("\n")
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


if __name__ == "__main__":
    for file_name, file_text in files().items():
        (FOLDER / file_name).write_text(file_text, encoding="utf-8")
