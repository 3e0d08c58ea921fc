# The operations of the engine: each makes a request that is not started. Included by _core.pyx.


cdef class EngineOperations:
    """What can be asked of a store; the engine carries it out."""

    cdef Request _request(self, ssa_request *c, ssa_problem *problem, Result result, object lent):
        if c == NULL:
            if problem.status == SSA_ENOMEM:
                raise MemoryError
            raise errors.error_from_status(problem.status, problem.text.decode("utf-8", "replace"), SSA_KIND_KEY)
        cdef Request request = Request.__new__(Request)
        request.c = c
        request.engine = self
        request.result_kind = result
        request.lent = lent
        return request

    def put_tensor(self, name, data):
        cdef ssa_problem problem
        cdef ssa_tensor_header header
        cdef bytes encoded = _encoded("tensor", name)
        cdef cnp.ndarray array = _sendable("data", data)
        _fill_header(&header, "data", array)
        return self._request(ssa_op_put_tensor(self.c, _text(encoded), &header, cnp.PyArray_DATA(array), &problem), &problem,
                             NOTHING, array)

    def get_tensor(self, name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("tensor", name)
        return self._request(ssa_op_get_tensor(self.c, _text(encoded), &problem), &problem, TENSOR, None)

    def get_tensor_by_key(self, bytes key not None):
        cdef ssa_problem problem
        return self._request(ssa_op_get_tensor_by_key(self.c, _text(key), &problem), &problem, TENSOR, None)

    def unpack_tensor(self, name, cnp.ndarray out not None):
        """Straight into an array that lies in one piece."""
        cdef ssa_problem problem
        cdef ssa_tensor_header header
        cdef bytes encoded = _encoded("tensor", name)
        _fill_header(&header, "out", out)
        cdef Request request = self._request(
            ssa_op_unpack_tensor(self.c, _text(encoded), &header, cnp.PyArray_DATA(out), &problem), &problem, INTO, None)
        request.into = out
        return request

    def delete_tensor(self, name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("tensor", name)
        return self._request(ssa_op_delete(self.c, b"delete_tensor", SSA_KIND_TENSOR, _text(encoded), &problem), &problem, NOTHING, None)

    cdef Request _exists(self, const char *operation, ssa_kind kind, str word, object name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded(word, name)
        return self._request(ssa_op_exists(self.c, operation, kind, _text(encoded), &problem), &problem, TRUTH, None)

    def tensor_exists(self, name):
        return self._exists(b"tensor_exists", SSA_KIND_TENSOR, "tensor", name)

    def dataset_exists(self, name):
        return self._exists(b"dataset_exists", SSA_KIND_DATASET, "dataset", name)

    def model_exists(self, name):
        return self._exists(b"model_exists", SSA_KIND_MODEL, "model", name)

    def script_exists(self, name):
        return self._exists(b"script_exists", SSA_KIND_SCRIPT, "script", name)

    def key_exists(self, key):
        return self._exists(b"key_exists", SSA_KIND_KEY, "key", key)

    cdef Request _wait_for(self, const char *operation, ssa_kind kind, str word, object name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded(word, name)
        return self._request(ssa_op_wait_for(self.c, operation, kind, _text(encoded), &problem), &problem, NOTHING, None)

    def wait_for_tensor(self, name):
        return self._wait_for(b"wait_for_tensor", SSA_KIND_TENSOR, "tensor", name)

    def wait_for_dataset(self, name):
        return self._wait_for(b"wait_for_dataset", SSA_KIND_DATASET, "dataset", name)

    def wait_for_model(self, name):
        return self._wait_for(b"wait_for_model", SSA_KIND_MODEL, "model", name)

    def wait_for_key(self, key):
        return self._wait_for(b"wait_for_key", SSA_KIND_KEY, "key", key)

    # ---- models and scripts

    cdef Request _set_model(self, ssa_kind kind, object name, bytes blob, object backend, object device, int first_gpu, int num_gpus,
                            int64_t batch_size, int64_t min_batch_size, int64_t min_batch_timeout, object tag, object inputs,
                            object outputs):
        cdef ssa_problem problem
        cdef ssa_model_options options
        cdef bytes encoded = _encoded("model" if kind == SSA_KIND_MODEL else "script", name)
        cdef bytes backend_text = _encoded("backend", backend), device_text = _encoded("device", device)
        cdef bytes tag_text = _encoded("tag", tag)
        cdef bytes inputs_text = _encoded("inputs", ",".join(inputs)), outputs_text = _encoded("outputs", ",".join(outputs))
        memset(&options, 0, sizeof(options))
        options.backend = _text(backend_text)
        options.device = _text(device_text)
        options.first_gpu = first_gpu
        options.num_gpus = num_gpus
        options.batch_size = batch_size
        options.min_batch_size = min_batch_size
        options.min_batch_timeout = min_batch_timeout
        options.tag = _text(tag_text)
        options.inputs = _text(inputs_text)
        options.outputs = _text(outputs_text)
        return self._request(ssa_op_set_model(self.c, kind, _text(encoded), _text(blob), &options, &problem), &problem, VERSION, blob)

    def set_model(self, name, bytes model not None, backend, device, batch_size, min_batch_size, min_batch_timeout, tag, inputs, outputs):
        return self._set_model(SSA_KIND_MODEL, name, model, backend, device, 0, 0, batch_size, min_batch_size, min_batch_timeout, tag,
                               inputs, outputs)

    def set_model_multigpu(self, name, bytes model not None, backend, first_gpu, num_gpus, batch_size, min_batch_size,
                           min_batch_timeout, tag, inputs, outputs):
        self.check_gpus(first_gpu, num_gpus)
        return self._set_model(SSA_KIND_MODEL, name, model, backend, "GPU", first_gpu, num_gpus, batch_size, min_batch_size,
                               min_batch_timeout, tag, inputs, outputs)

    def set_script(self, name, bytes script not None, device):
        return self._set_model(SSA_KIND_SCRIPT, name, script, "", device, 0, 0, 0, 0, 0, "", (), ())

    def set_script_multigpu(self, name, bytes script not None, first_gpu, num_gpus):
        self.check_gpus(first_gpu, num_gpus)
        return self._set_model(SSA_KIND_SCRIPT, name, script, "", "GPU", first_gpu, num_gpus, 0, 0, 0, "", (), ())

    @staticmethod
    def check_gpus(first_gpu, num_gpus):
        """Raises InvalidArgument."""
        if first_gpu < 0:
            raise errors.InvalidArgument("first_gpu", first_gpu, "it counts from 0")
        if first_gpu > 9999:  # the limits of ssa_op_check_gpus, to which numbers come that C has no room for
            raise errors.InvalidArgument("first_gpu", first_gpu, "give 9999 at most")
        if not 1 <= num_gpus <= 1024:
            raise errors.InvalidArgument("num_gpus", num_gpus, "give 1 to 1024")

    cdef Request _get_model(self, ssa_kind kind, object name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("model" if kind == SSA_KIND_MODEL else "script", name)
        return self._request(ssa_op_get_model(self.c, kind, _text(encoded), &problem), &problem, MODEL, None)

    def get_model(self, name):
        return self._get_model(SSA_KIND_MODEL, name)

    def get_script(self, name):
        return self._get_model(SSA_KIND_SCRIPT, name)

    def get_model_version(self, name, script=False):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("model", name)
        return self._request(ssa_op_get_model_version(self.c, SSA_KIND_SCRIPT if script else SSA_KIND_MODEL, _text(encoded), &problem),
                             &problem, TEXT, None)

    def get_model_blob(self, name, version, script=False):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("model", name), version_text = _encoded("version", version)
        return self._request(ssa_op_get_model_blob(self.c, SSA_KIND_SCRIPT if script else SSA_KIND_MODEL, _text(encoded),
                                                   _text(version_text), &problem), &problem, MODEL, None)

    cdef Request _delete_model(self, ssa_kind kind, object name, tuple gpus):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("model" if kind == SSA_KIND_MODEL else "script", name)
        cdef int first, count
        if gpus:
            self.check_gpus(*gpus)
            first, count = gpus
            return self._request(ssa_op_delete_model_multigpu(self.c, kind, _text(encoded), first, count, &problem), &problem,
                                 NOTHING, None)
        return self._request(ssa_op_delete_model(self.c, kind, _text(encoded), &problem), &problem, NOTHING, None)

    def delete_model(self, name, *gpus):
        return self._delete_model(SSA_KIND_MODEL, name, gpus)

    def delete_script(self, name, *gpus):
        return self._delete_model(SSA_KIND_SCRIPT, name, gpus)

    def run(self, str operation not None, name, inputs, outputs, *, bint script=False, function="", device="", bint keep=True):
        """Run a model, or a function of a script. inputs: names of tensors, or arrays; outputs: names; None: they are given."""
        cdef ssa_problem problem
        cdef ssa_run_options options
        cdef bytes encoded = _encoded("script" if script else "model", name)
        cdef bytes function_text = _encoded("function", function), device_text = _encoded("device", device)
        cdef size_t count = len(inputs), output_count = len(outputs or ()), i
        cdef bint named = outputs is not None
        cdef ssa_tensor_header *headers = <ssa_tensor_header *>malloc((count + 1) * sizeof(ssa_tensor_header))
        cdef ssa_run_input *c_inputs = <ssa_run_input *>malloc((count + 1) * sizeof(ssa_run_input))
        cdef ssa_text *c_outputs = <ssa_text *>malloc((output_count + 1) * sizeof(ssa_text))
        cdef cnp.ndarray array
        cdef Request request
        lent = []
        try:
            if headers == NULL or c_inputs == NULL or c_outputs == NULL:
                raise MemoryError
            for i in range(count):
                memset(&c_inputs[i], 0, sizeof(ssa_run_input))
                if isinstance(inputs[i], str):
                    held = _encoded("input", inputs[i])
                    c_inputs[i].name = _text(held)
                    lent.append(held)
                    continue
                array = _sendable("an input", inputs[i])
                _fill_header(&headers[i], "an input", array)
                c_inputs[i].header = &headers[i]
                c_inputs[i].data = cnp.PyArray_DATA(array)
                lent.append(array)
            held_outputs = [_encoded("tensor", output) for output in outputs or ()]
            for i in range(output_count):
                c_outputs[i] = _text(held_outputs[i])
            memset(&options, 0, sizeof(options))
            options.function = _text(function_text)
            options.device = _text(device_text)
            options.discard = not keep
            request = self._request(
                ssa_op_run(self.c, _operation(operation), SSA_KIND_SCRIPT if script else SSA_KIND_MODEL, _text(encoded), c_inputs, count,
                           c_outputs, output_count, &options, &problem), &problem, NOTHING if named else OUTPUTS, lent)
            request.only_in_batch = not keep
            return request
        finally:
            free(headers)
            free(c_inputs)
            free(c_outputs)


    # ---- bytes, copying, renaming, time to live

    def put_bytes(self, name, data):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("bytes", name)
        cdef const unsigned char[::1] view = arguments.bytes_in_one_piece("data", data)
        cdef const void *start = &view[0] if view.shape[0] else NULL
        return self._request(ssa_op_put_bytes(self.c, _text(encoded), start, view.shape[0], &problem), &problem, NOTHING, view)

    def get_bytes(self, name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("bytes", name)
        return self._request(ssa_op_get_bytes(self.c, _text(encoded), &problem), &problem, BYTES, None)

    def delete_bytes(self, name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("bytes", name)
        return self._request(ssa_op_delete(self.c, b"delete_bytes", SSA_KIND_TENSOR, _text(encoded), &problem), &problem, NOTHING, None)

    def bytes_exists(self, name):
        return self._exists(b"bytes_exists", SSA_KIND_TENSOR, "bytes", name)

    cdef Request _copy(self, const char *operation, bint moves, ssa_kind kind, str word, object source, object target):
        cdef ssa_problem problem
        cdef bytes a = _encoded(word, source), b = _encoded(word, target)
        cdef ssa_request *c
        if kind == SSA_KIND_DATASET:
            c = (ssa_op_rename_dataset(self.c, _text(a), _text(b), &problem) if moves
                 else ssa_op_copy_dataset(self.c, _text(a), _text(b), &problem))
        elif kind == SSA_KIND_LIST:
            c = (ssa_op_rename_list(self.c, _text(a), _text(b), &problem) if moves
                 else ssa_op_copy_list(self.c, _text(a), _text(b), &problem))
        elif moves:
            c = ssa_op_rename(self.c, operation, kind, _text(a), _text(b), &problem)
        else:
            c = ssa_op_copy(self.c, operation, kind, _text(a), _text(b), &problem)
        return self._request(c, &problem, NOTHING, None)

    def copy_tensor(self, source, target):
        return self._copy(b"copy_tensor", False, SSA_KIND_TENSOR, "tensor", source, target)

    def rename_tensor(self, source, target):
        return self._copy(b"rename_tensor", True, SSA_KIND_TENSOR, "tensor", source, target)

    def copy_dataset(self, source, target):
        return self._copy(b"copy_dataset", False, SSA_KIND_DATASET, "dataset", source, target)

    def rename_dataset(self, source, target):
        return self._copy(b"rename_dataset", True, SSA_KIND_DATASET, "dataset", source, target)

    def copy_list(self, source, target):
        return self._copy(b"copy_list", False, SSA_KIND_LIST, "list", source, target)

    def rename_list(self, source, target):
        return self._copy(b"rename_list", True, SSA_KIND_LIST, "list", source, target)

    cdef Request _ttl(self, ssa_kind kind, str word, object name, object seconds):
        """seconds: None: ask; 0: it stays."""
        cdef ssa_problem problem
        cdef bytes encoded = _encoded(word, name)
        if seconds is None:
            return self._request(ssa_op_get_ttl(self.c, kind, _text(encoded), &problem), &problem, NUMBER, None)
        if seconds == 0:
            return self._request(ssa_op_persist(self.c, kind, _text(encoded), &problem), &problem, NOTHING, None)
        if seconds > 1e12:
            raise errors.InvalidArgument("seconds", seconds, f"give at most 1e12; persist_{word} is for what stays")
        if not seconds >= 0.001:
            raise errors.InvalidArgument("seconds", seconds, "give at least 0.001")
        return self._request(ssa_op_set_ttl(self.c, kind, _text(encoded), <int64_t>(1000 * <double>seconds), &problem), &problem,
                             NOTHING, None)

    def tensor_ttl(self, name, seconds):
        return self._ttl(SSA_KIND_TENSOR, "tensor", name, seconds)

    def dataset_ttl(self, name, seconds):
        return self._ttl(SSA_KIND_DATASET, "dataset", name, seconds)

    def list_ttl(self, name, seconds):
        return self._ttl(SSA_KIND_LIST, "list", name, seconds)

    # ---- datasets and their lists

    def put_dataset(self, Dataset dataset not None):
        cdef ssa_problem problem
        return self._request(ssa_op_put_dataset(self.c, dataset.d, &problem), &problem, NOTHING, dataset)

    def get_dataset(self, name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("dataset", name)
        return self._request(ssa_op_get_dataset(self.c, _text(encoded), &problem), &problem, DATASET, None)

    def delete_dataset(self, name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("dataset", name)
        return self._request(ssa_op_delete_dataset(self.c, _text(encoded), &problem), &problem, NOTHING, None)

    def append_to_list(self, list_name, dataset_name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("list", list_name), dataset = _encoded("dataset", dataset_name)
        return self._request(ssa_op_append_to_list(self.c, _text(encoded), _text(dataset), &problem), &problem, NOTHING, None)

    def get_list_length(self, list_name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("list", list_name)
        return self._request(ssa_op_list_length(self.c, _text(encoded), &problem), &problem, NUMBER, None)

    def delete_list(self, list_name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("list", list_name)
        return self._request(ssa_op_delete(self.c, b"delete_list", SSA_KIND_LIST, _text(encoded), &problem), &problem, NOTHING, None)

    def get_datasets_from_list(self, list_name):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("list", list_name)
        return self._request(ssa_op_get_datasets_from_list(self.c, _text(encoded), &problem), &problem, DATASETS, None)

    def get_dataset_list_range(self, list_name, int64_t start_index, int64_t end_index):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("list", list_name)
        return self._request(ssa_op_get_list_range(self.c, _text(encoded), start_index, end_index, &problem), &problem, DATASETS, None)

    # ---- polls, lengths of lists, changes

    def wait_for_list_length(self, list_name, int64_t length, str comparison not None):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("list", list_name)
        return self._request(ssa_op_wait_for_list_length(self.c, _text(encoded), length, _comparison(comparison), &problem), &problem,
                             NUMBER, None)

    cdef Request _poll(self, const char *operation, ssa_kind kind, str word, object name, object frequency_ms, object tries):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded(word, name)
        return self._request(ssa_op_poll(self.c, operation, kind, _text(encoded), frequency_ms, tries, &problem), &problem, TRUTH, None)

    def poll_key(self, key, frequency_ms, tries):
        return self._poll(b"poll_key", SSA_KIND_KEY, "key", key, frequency_ms, tries)

    def poll_tensor(self, name, frequency_ms, tries):
        return self._poll(b"poll_tensor", SSA_KIND_TENSOR, "tensor", name, frequency_ms, tries)

    def poll_dataset(self, name, frequency_ms, tries):
        return self._poll(b"poll_dataset", SSA_KIND_DATASET, "dataset", name, frequency_ms, tries)

    def poll_model(self, name, frequency_ms, tries):
        return self._poll(b"poll_model", SSA_KIND_MODEL, "model", name, frequency_ms, tries)

    def poll_list_length(self, str operation not None, list_name, int64_t length, str comparison not None, int64_t frequency_ms, int64_t tries):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("list", list_name)
        return self._request(ssa_op_poll_list_length(self.c, _operation(operation), _text(encoded), length, _comparison(comparison),
                                                     frequency_ms, tries, &problem), &problem, TRUTH, None)

    def watch(self, bytes key not None):
        """Ends when the key may have changed."""
        cdef ssa_problem problem
        return self._request(ssa_op_watch(self.c, _text(key), &problem), &problem, NOTHING, None)

    # ---- control, servers

    def control_poll(self, entity):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("entity", entity)
        return self._request(ssa_op_control_poll(self.c, _text(encoded), &problem), &problem, REPLY, None)

    def control_send(self, entity, kind, name, value):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("entity", entity), kind_text = _encoded("kind", kind)
        cdef bytes name_text = _encoded("name", name), value_text = _encoded("value", value)
        return self._request(ssa_op_control_send(self.c, _text(encoded), _text(kind_text), _text(name_text), _text(value_text), &problem),
                             &problem, NUMBER, None)

    def control_clear(self, entity):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("entity", entity)
        return self._request(ssa_op_control_clear(self.c, _text(encoded), &problem), &problem, NOTHING, None)

    def node_info(self, address):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("address", address)
        return self._request(ssa_op_node_info(self.c, _text(encoded), &problem), &problem, REPLY, None)

    def cluster_info(self, address):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("address", address)
        return self._request(ssa_op_cluster_info(self.c, _text(encoded), &problem), &problem, REPLY, None)

    def ping(self, address):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("address", address)
        return self._request(ssa_op_ping(self.c, _text(encoded), &problem), &problem, NUMBER, None)

    def config_get(self, pattern, address):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("pattern", pattern), address_text = _encoded("address", address)
        return self._request(ssa_op_config_get(self.c, _text(encoded), _text(address_text), &problem), &problem, REPLY, None)

    def config_set(self, parameter, value, address):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("parameter", parameter), value_text = _encoded("value", value)
        cdef bytes address_text = _encoded("address", address)
        return self._request(ssa_op_config_set(self.c, _text(encoded), _text(value_text), _text(address_text), &problem), &problem,
                             NOTHING, None)

    def save(self, address):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("address", address)
        return self._request(ssa_op_save(self.c, _text(encoded), &problem), &problem, NUMBER, None)

    def flush(self, prefix):
        cdef ssa_problem problem
        cdef bytes encoded = _encoded("prefix", prefix)
        return self._request(ssa_op_flush(self.c, _text(encoded), &problem), &problem, NUMBER, None)
