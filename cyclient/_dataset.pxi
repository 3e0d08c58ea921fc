# Dataset in Python: a face of c/dataset.h. Included by _core.pyx.

from libc.string cimport memset

cdef extern from "metadata.h":
    ctypedef struct ssa_metadata:
        uint8_t type
        const unsigned char *values
        size_t bytes, count
    size_t ssa_metadata_scalar_size(uint8_t type) nogil
    int ssa_metadata_next(const ssa_metadata *metadata, size_t *at, const char **text, size_t *bytes) nogil

cdef extern from "reply.h":
    ssa_status ssa_reply_add(ssa_reply *reply, const ssa_token *token) nogil
    void *ssa_reply_body_space(ssa_reply *reply, size_t bytes) nogil
    void ssa_reply_body_came(ssa_reply *reply, size_t bytes) nogil

cdef extern from "resp_reader.h":
    ctypedef struct ssa_token:
        ssa_token_kind kind
        int64_t number

cdef extern from "name_index.h":
    const size_t SSA_NAME_NOWHERE

cdef extern from "dataset.h":
    ctypedef struct ssa_name:
        const char *text
        size_t bytes
    ctypedef enum ssa_item_kind:
        SSA_ITEM_TENSOR, SSA_ITEM_BYTES
    ctypedef struct ssa_item:
        ssa_item_kind kind
        ssa_name name
        ssa_tensor_header header
        const void *data
        int owned
    ctypedef struct ssa_field:
        ssa_name name
        const unsigned char *data
        size_t bytes
    const char *ssa_dataset_name_refusal(const char *name, size_t bytes) nogil
    ssa_status ssa_dataset_new(const char *name, size_t bytes, ssa_dataset **dataset) nogil
    void ssa_dataset_free(ssa_dataset *dataset) nogil
    ssa_name ssa_dataset_name(const ssa_dataset *dataset) nogil
    const char *ssa_dataset_reason(const ssa_dataset *dataset) nogil
    ssa_status ssa_dataset_lend_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes,
                                       const ssa_tensor_header *header, const void *data) nogil
    ssa_status ssa_dataset_lend_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *data,
                                      size_t bytes) nogil
    ssa_status ssa_dataset_add_scalars(ssa_dataset *dataset, const char *name, size_t name_bytes, uint8_t type,
                                       const void *values, size_t count) nogil
    ssa_status ssa_dataset_add_string(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *text,
                                      size_t bytes) nogil
    ssa_status ssa_dataset_remove_item(ssa_dataset *dataset, ssa_item_kind kind, const char *name,
                                       size_t name_bytes) nogil
    ssa_status ssa_dataset_remove_field(ssa_dataset *dataset, const char *name, size_t name_bytes) nogil
    size_t ssa_dataset_item_place(const ssa_dataset *dataset, ssa_item_kind kind, const char *name,
                                  size_t name_bytes) nogil
    size_t ssa_dataset_item_count(const ssa_dataset *dataset) nogil
    const ssa_item *ssa_dataset_item_at(const ssa_dataset *dataset, size_t place) nogil
    ssa_memory ssa_dataset_take_memory(ssa_dataset *dataset, size_t place) nogil
    size_t ssa_dataset_field_count(const ssa_dataset *dataset) nogil
    ssa_field ssa_dataset_field_at(const ssa_dataset *dataset, size_t place) nogil
    ssa_status ssa_dataset_find_field(const ssa_dataset *dataset, const char *name, size_t name_bytes,
                                      ssa_metadata *metadata) nogil
    ssa_status ssa_dataset_encode(ssa_dataset *dataset) nogil
    size_t ssa_dataset_encoded_count(const ssa_dataset *dataset) nogil
    ssa_field ssa_dataset_encoded_at(const ssa_dataset *dataset, size_t place) nogil
    ssa_status ssa_dataset_decode(ssa_dataset *dataset, const ssa_reply *reply) nogil
    ssa_status ssa_dataset_supply_tensor(ssa_dataset *dataset, size_t place, const ssa_tensor_header *header,
                                         ssa_memory *memory) nogil
    ssa_status ssa_dataset_supply_bytes(ssa_dataset *dataset, size_t place, ssa_memory *memory, size_t bytes) nogil


# What a field can hold, by its code on the wire (WIRE.md, "Dataset").
cdef dict _scalar_codes = {np.dtype(name): _CODE_OF_NAME[name]
                           for name in ("bool", "int32", "int64", "uint32", "uint64", "float32", "float64")}
cdef uint8_t _STRING_CODE = 16


cdef bytes _encoded(str what, object text):
    """A name or a text as bytes. What is not UTF-8, which other languages may write, comes and goes as surrogates."""
    if not isinstance(text, str):
        raise errors.WrongType(what, text, "give a str")
    try:
        return (<str>text).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise errors.InvalidArgument(what, repr(text), "it has no form in UTF-8; leave lone surrogates out") from None


cdef str _decoded(ssa_name name):
    return name.text[:name.bytes].decode("utf-8", "surrogateescape")


cdef object _scalar(object value):
    """A numpy scalar of a type that fields can hold. Raises InvalidArgument."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.generic):
        if value.dtype.newbyteorder("=") in _scalar_codes:
            return value
        names = ", ".join(dtype.name for dtype in _scalar_codes)
        raise errors.InvalidArgument("metadata", f"of type {value.dtype}", f"convert it to one of {names}")
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int):
        if -(1 << 63) <= value < 1 << 64:
            return np.int64(value) if value < 1 << 63 else np.uint64(value)
        raise errors.InvalidArgument("metadata", value, "an integer has at most 64 bits; take a float or a string")
    if isinstance(value, float):
        return np.float64(value)
    raise errors.InvalidArgument(
        "metadata", f"of type {type(value).__name__}",
        "add one bool, int, float or numpy scalar at a time, strings with add_meta_string, arrays with add_tensor")


@cython.final
cdef class Dataset:
    """Tensors, bytes and metadata under one name, which are stored, replaced and deleted together.

    name: 1 to 1,024 bytes of UTF-8 without braces. Raises InvalidArgument.
    """
    cdef ssa_dataset *d
    cdef dict held  # name: the array or bytes whose memory the C side borrows, or that took its memory over

    def __cinit__(self, name=None):
        cdef bytes text = _encoded("name of a dataset", name)
        cdef ssa_status status = ssa_dataset_new(text, len(text), &self.d)
        if status == SSA_EARGUMENT:
            raise errors.InvalidArgument("dataset", repr(name), ssa_dataset_name_refusal(text, len(text)).decode())
        if status != SSA_OK:
            raise MemoryError
        self.held = {}

    def __dealloc__(self):
        ssa_dataset_free(self.d)

    cdef int _check(self, ssa_status status, str what, str name) except -1:
        if status == SSA_OK:
            return 0
        if status == SSA_ENOMEM:
            raise MemoryError
        if status == SSA_ENOTFOUND:
            raise self._missing(what, name)
        raise errors.InvalidArgument(what, repr(name), ssa_dataset_reason(self.d).decode())

    cdef object _missing(self, str what, str name):
        names = {"tensor": self.get_tensor_names, "bytes": self.get_bytes_names, "field": self.get_metadata_field_names}
        return errors.DatasetEntryNotFound(self.name, what, name, names[what]())

    cdef list _names(self, ssa_item_kind kind):
        cdef size_t i
        cdef const ssa_item *item
        names = []
        for i in range(ssa_dataset_item_count(self.d)):
            item = ssa_dataset_item_at(self.d, i)
            if item.kind == kind:
                names.append(_decoded(item.name))
        return names

    cdef const ssa_item *_item(self, ssa_item_kind kind, str what, object name) except NULL:
        cdef bytes text = _encoded(what, name)
        cdef size_t place = ssa_dataset_item_place(self.d, kind, text, len(text))
        if place == SSA_NAME_NOWHERE:
            raise self._missing(what, name)
        cdef const ssa_item *item = ssa_dataset_item_at(self.d, place)
        if item.data == NULL:
            raise errors.InternalError(f"{what} {name!r} of dataset {self.name!r} has not come")
        return item

    cdef int _hold(self, bytes text, object before, ssa_status status, str what, object name) except -1:
        """What was lent is held already, under `text`; if the C side refused it, hold what was held there before."""
        if status != SSA_OK:
            if before is None:
                del self.held[text]
            else:
                self.held[text] = before
        return self._check(status, what, name)

    @property
    def name(self):
        """The name of the dataset."""
        return _decoded(ssa_dataset_name(self.d))

    # ---- tensors

    def add_tensor(self, name, data):
        """Add an array of any supported dtype and shape.

        Row- and column-major arrays are held, not copied: do not change them before the dataset was put. Other strides
        are copied. Raises InvalidArgument (the name is taken or cannot be one, a put is under way), UnsupportedDtype.
        """
        cdef bytes text = _encoded("tensor", name)
        cdef ssa_tensor_header header
        cdef cnp.ndarray array = _sendable("data", data)
        _fill_header(&header, "data", array)
        before = self.held.get(text)
        self.held[text] = array  # first, so that nothing lent is without an owner
        cdef ssa_status status = ssa_dataset_lend_tensor(self.d, text, len(text), &header, cnp.PyArray_DATA(array))
        self._hold(text, before, status, "tensor", name)

    def get_tensor(self, name, *, order="K"):
        """The array that was added, or that came from the store: no copy is made, and it may outlive the dataset.

        order: "K": row- or column-major, as it was added; "C": row-major, "F": column-major: a copy if it lies otherwise.
        Raises DatasetEntryNotFound, InvalidArgument (the order).
        """
        arguments.memory_order(order)
        cdef const ssa_item *item = self._item(SSA_ITEM_TENSOR, "tensor", name)
        cdef bytes text = item.name.text[:item.name.bytes]
        cdef cnp.dtype dtype
        cdef _Memory owner
        if text not in self.held:  # the array may live longer than the dataset, and than its place in it
            dtype = _dtype_from_code(item.header.dtype, item.header.itemsize)
            owner = _Memory.__new__(_Memory)
            self.held[text] = _array_over(<ssa_tensor_header *>&item.header, dtype, owner, <void *>item.data)
            place = ssa_dataset_item_place(self.d, SSA_ITEM_TENSOR, text, len(text))
            owner.memory = ssa_dataset_take_memory(self.d, place)
        return arguments.in_order(self.held[text], order)

    def remove_tensor(self, name):
        """Take a tensor out of the dataset, not out of the store.

        Raises DatasetEntryNotFound, InvalidArgument (a put is under way).
        """
        self._remove(SSA_ITEM_TENSOR, "tensor", name)

    def get_tensor_names(self):
        """The names of its tensors, in the order in which they were added."""
        return self._names(SSA_ITEM_TENSOR)

    def get_tensor_type(self, name):
        """The name of the dtype of a tensor, such as "float64". Raises DatasetEntryNotFound."""
        cdef const ssa_item *item = self._item(SSA_ITEM_TENSOR, "tensor", name)
        if item.header.dtype == 13:  # also where numpy does not have it
            return "bfloat16"
        return _dtype_from_code(item.header.dtype, item.header.itemsize).name

    def get_tensor_dims(self, name):
        """The shape of a tensor. Raises DatasetEntryNotFound."""
        cdef const ssa_item *item = self._item(SSA_ITEM_TENSOR, "tensor", name)
        return tuple([item.header.shape[i] for i in range(item.header.ndim)])

    # ---- bytes

    def add_bytes(self, name, data):
        """Add bytes, or a copy of anything that has a buffer. Raises InvalidArgument as add_tensor does."""
        cdef bytes text = _encoded("bytes", name)
        cdef bytes value = data if isinstance(data, bytes) else arguments.buffer("data", data).tobytes()
        before = self.held.get(text)
        self.held[text] = value
        cdef ssa_status status = ssa_dataset_lend_bytes(self.d, text, len(text), <char *>value, len(value))
        self._hold(text, before, status, "bytes", name)

    def get_bytes(self, name):
        """The bytes that were added, or a copy of those that came from the store. Raises DatasetEntryNotFound."""
        cdef const ssa_item *item = self._item(SSA_ITEM_BYTES, "bytes", name)
        return (<const char *>item.data)[:item.header.data_bytes]

    def remove_bytes(self, name):
        """Take bytes out of the dataset, not out of the store. Raises as remove_tensor does."""
        self._remove(SSA_ITEM_BYTES, "bytes", name)

    def get_bytes_names(self):
        """The names of its bytes, in the order in which they were added."""
        return self._names(SSA_ITEM_BYTES)

    cdef object _remove(self, ssa_item_kind kind, str what, object name):
        cdef bytes text = _encoded(what, name)
        self._check(ssa_dataset_remove_item(self.d, kind, text, len(text)), what, name)
        self.held.pop(text, None)

    # ---- metadata

    def add_meta_scalar(self, name, value):
        """Add a value to a field, whose values all have one type.

        A bool is stored as bool, an int as int64 (uint64 where only that holds it), a float as float64; numpy scalars
        of bool, int32, int64, uint32, uint64, float32 and float64 as what they are. Raises InvalidArgument (another
        type than the field's, a name that cannot be one, a put is under way).
        """
        cdef bytes text = _encoded("field", name)
        scalar = _scalar(value)
        cdef uint8_t code = _scalar_codes[scalar.dtype.newbyteorder("=")]
        cdef bytes data = np.asarray(scalar, scalar.dtype.newbyteorder("<")).tobytes()
        cdef ssa_status status = ssa_dataset_add_scalars(self.d, text, len(text), code, <char *>data, 1)
        self._check_added(status, name, scalar.dtype.name)

    def add_meta_string(self, name, value):
        """Add a text to a field of strings. Raises InvalidArgument as add_meta_scalar does."""
        cdef bytes text = _encoded("field", name), data = _encoded("metadata", value)
        self._check_added(ssa_dataset_add_string(self.d, text, len(text), <char *>data, len(data)), name, "str")

    cdef int _check_added(self, ssa_status status, str name, str kind) except -1:
        if status == SSA_EDTYPE:
            there = self.get_metadata_field_type(name)
            raise errors.InvalidArgument(f"metadata for field {name!r}", f"of type {kind}",
                                         f"the field holds {there}; convert it, or use another field")
        return self._check(status, "field", name)

    cdef int _field(self, object name, ssa_metadata *metadata) except -1:
        cdef bytes text = _encoded("field", name)
        return self._check(ssa_dataset_find_field(self.d, text, len(text), metadata), "field", name)

    def get_meta_scalars(self, name):
        """The values of a field: a new array of one dimension.

        Raises DatasetEntryNotFound, InvalidArgument (it holds strings).
        """
        cdef ssa_metadata metadata
        self._field(name, &metadata)
        if metadata.type == _STRING_CODE:
            raise errors.InvalidArgument("field", repr(name), "it holds strings; use get_meta_strings")
        cdef bytes values = (<const char *>metadata.values)[:metadata.bytes]
        dtype = _dtype_from_code(metadata.type, 0)
        return np.frombuffer(values, dtype.newbyteorder("<")).astype(dtype)

    def get_meta_strings(self, name):
        """The texts of a field. Raises DatasetEntryNotFound, InvalidArgument (it holds numbers)."""
        cdef ssa_metadata metadata
        cdef ssa_name text
        cdef size_t at = 0
        self._field(name, &metadata)
        if metadata.type != _STRING_CODE:
            kind = _dtype_from_code(metadata.type, 0).name
            raise errors.InvalidArgument("field", repr(name), f"it holds {kind}; use get_meta_scalars")
        texts = []
        while ssa_metadata_next(&metadata, &at, &text.text, &text.bytes):
            texts.append(_decoded(text))
        return texts

    def get_metadata_field_names(self):
        """The names of its fields, in the order in which they were added, or in which the store gave them."""
        return [_decoded(ssa_dataset_field_at(self.d, i).name) for i in range(ssa_dataset_field_count(self.d))]

    def get_metadata_field_type(self, name):
        """"str", or the name of the dtype of its numbers. Raises DatasetEntryNotFound."""
        cdef ssa_metadata metadata
        self._field(name, &metadata)
        return "str" if metadata.type == _STRING_CODE else _dtype_from_code(metadata.type, 0).name

    def has_field(self, name):
        """Whether there is metadata of this name."""
        cdef bytes text = _encoded("field", name)
        cdef ssa_metadata metadata
        return ssa_dataset_find_field(self.d, text, len(text), &metadata) == SSA_OK

    def clear_field(self, name):
        """Take the metadata of this name out of the dataset.

        Raises DatasetEntryNotFound, InvalidArgument (a put is under way).
        """
        cdef bytes text = _encoded("field", name)
        self._check(ssa_dataset_remove_field(self.d, text, len(text)), "field", name)

    # ---- copies, and other processes

    def __reduce__(self):
        """Arrays go as they are: the copy of copy.copy() holds the same ones, a pickle has their elements."""
        cdef const ssa_item *item
        items = []
        for i in range(ssa_dataset_item_count(self.d)):
            item = ssa_dataset_item_at(self.d, i)
            name, is_tensor = _decoded(item.name), item.kind == SSA_ITEM_TENSOR
            items.append((name, is_tensor, self.get_tensor(name) if is_tensor else self.get_bytes(name)))
        fields = [(name, self.get_meta_strings(name) if self.get_metadata_field_type(name) == "str" else self.get_meta_scalars(name))
                  for name in self.get_metadata_field_names()]
        return _dataset_of, (self.name, items, fields)

    # ---- for people

    def __repr__(self):
        tensors, blobs = len(self._names(SSA_ITEM_TENSOR)), len(self._names(SSA_ITEM_BYTES))
        return f"<Dataset {self.name!r}: {tensors} tensors, {blobs} bytes, {ssa_dataset_field_count(self.d)} fields>"

    def __str__(self):
        rows = [(f"tensor {name!r}", f"{self.get_tensor_type(name)} {self.get_tensor_dims(name)}")
                for name in self.get_tensor_names()]
        rows += [(f"bytes {name!r}", f"{len(self.get_bytes(name))} bytes") for name in self.get_bytes_names()]
        for name in self.get_metadata_field_names():
            kind = self.get_metadata_field_type(name)
            values = self.get_meta_strings(name) if kind == "str" else self.get_meta_scalars(name).tolist()
            texts = map(repr, values[:5])
            shown = ", ".join([text if len(text) <= 40 else text[:37] + "..." for text in texts])
            more = f", ... ({len(values)} in all)" if len(values) > 5 else ""
            rows.append((f"field {name!r}", f"{kind}: {shown}{more}"))
        width = max([len(what) for what, _ in rows], default=0)
        lines = [f"  {what:<{width}}  {text}" for what, text in rows]
        return "\n".join([f"Dataset {self.name!r}" + ("" if rows else ", empty"), *lines])


def _dataset_of(name, items, fields):
    """What `__reduce__` took apart."""
    cdef Dataset dataset = Dataset(name)
    for item, is_tensor, value in items:
        if is_tensor:
            dataset.add_tensor(item, value)
        else:
            dataset.add_bytes(item, value)
    for field, values in fields:
        add = dataset.add_meta_string if isinstance(values, list) else dataset.add_meta_scalar
        for value in values:
            add(field, value)
    return dataset


cdef Dataset _take_dataset(ssa_dataset **place):
    """The Python side of a dataset of the core. It takes it out of its place, where it stays when this fails."""
    cdef Dataset dataset = Dataset(_decoded(ssa_dataset_name(place[0])))
    ssa_dataset_free(dataset.d)
    dataset.d = place[0]
    place[0] = NULL
    return dataset


# ---- what a put sends and a get reads, without a store: for tests and tools

def encode_dataset(Dataset dataset not None):
    """The fields of its hash but .version and .COMPLETE, and the values of its tensors and bytes by name (WIRE.md)."""
    cdef size_t i
    cdef ssa_field field
    cdef const ssa_item *item
    dataset._check(ssa_dataset_encode(dataset.d), "dataset", dataset.name)
    fields, values = {}, {}
    for i in range(ssa_dataset_encoded_count(dataset.d)):
        field = ssa_dataset_encoded_at(dataset.d, i)
        fields[field.name.text[:field.name.bytes]] = (<const char *>field.data)[:field.bytes]
    for i in range(ssa_dataset_item_count(dataset.d)):
        item = ssa_dataset_item_at(dataset.d, i)
        name = _decoded(item.name)
        is_tensor = item.kind == SSA_ITEM_TENSOR
        values[name] = encode_tensor(dataset.get_tensor(name)) if is_tensor else dataset.get_bytes(name)
    return fields, values


cdef int _add_to_reply(ssa_reply *reply, ssa_token_kind kind, int64_t number, bytes body) except -1:
    cdef ssa_token token
    cdef void *space
    token.kind = kind
    token.number = number
    if ssa_reply_add(reply, &token) < 0:
        raise MemoryError
    if body:
        space = ssa_reply_body_space(reply, len(body))
        if space == NULL:
            raise MemoryError
        memcpy(space, <char *>body, len(body))
        ssa_reply_body_came(reply, len(body))
    return 0


cdef int _supply(Dataset dataset, size_t place, bytes value) except -1:
    cdef const ssa_item *item = ssa_dataset_item_at(dataset.d, place)
    cdef ssa_tensor_header header
    cdef size_t offset = 0
    cdef ssa_status status
    if item.kind == SSA_ITEM_TENSOR:
        status = ssa_tensor_header_decode(&header, value, len(value), len(value), &offset)
        if status != SSA_OK:
            name = f"{_decoded(item.name)} of {dataset.name}"
            raise errors.NotATensor(name, "memory", "its header is missing, contradicts itself or is of another version")
    cdef ssa_memory memory = ssa_memory_new(len(value) - offset)
    if memory.data == NULL:
        raise MemoryError
    memcpy(memory.data, <char *>value + offset, len(value) - offset)
    if item.kind == SSA_ITEM_TENSOR:
        ssa_dataset_supply_tensor(dataset.d, place, &header, &memory)
    else:
        ssa_dataset_supply_bytes(dataset.d, place, &memory, len(value))
    return 0


def decode_dataset(str name not None, dict fields not None, dict values not None):
    """The dataset of a hash and of the values of its tensors and bytes. Raises NotADataset, NotATensor, KeyError."""
    cdef ssa_reply reply
    cdef ssa_status status
    cdef size_t i
    cdef Dataset dataset
    try:
        dataset = Dataset(name)
    except errors.InvalidArgument:
        raise errors.NotADataset(name, "memory", "it cannot be called so") from None
    memset(&reply, 0, sizeof(reply))
    try:
        _add_to_reply(&reply, SSA_TOKEN_MAP, 2 * len(fields), None)
        for field, value in fields.items():
            _add_to_reply(&reply, SSA_TOKEN_BULK, len(field), field)
            _add_to_reply(&reply, SSA_TOKEN_BULK, len(value), value)
        status = ssa_dataset_decode(dataset.d, &reply)
    finally:
        ssa_reply_free(&reply)
    if status == SSA_ENOMEM:
        raise MemoryError
    if status != SSA_OK:
        raise errors.NotADataset(name, "memory", ssa_dataset_reason(dataset.d).decode())
    for i in range(ssa_dataset_item_count(dataset.d)):
        _supply(dataset, i, values[_decoded(ssa_dataset_item_at(dataset.d, i).name)])
    return dataset
