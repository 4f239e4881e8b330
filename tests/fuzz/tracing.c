/* The two calls that atheris puts into bytecode, in a fraction of the time.
 *
 * libFuzzer is told the same: a counter for each place in the code, and what was compared with
 * what. Texts are left to atheris, which compares them as UTF-8.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <dlfcn.h>
#include <stdint.h>

static uint8_t *counters;
static long count;
static PyObject *atheris_cmp;
static void (*trace_cmp)(uint64_t, uint64_t);
static void (*trace_const_cmp)(uint64_t, uint64_t);
static void (*trace_memcmp)(void *, const void *, const void *, size_t, int);

static PyObject *branch(PyObject *module, PyObject *index) {
    long place = PyLong_AsLong(index);
    if (0 <= place && place < count) counters[place]++;
    Py_RETURN_NONE;
}

static void tell_integers(PyObject *left, PyObject *right, int is_const) {
    int left_over = 0, right_over = 0;
    long long one = PyLong_AsLongLongAndOverflow(left, &left_over);
    long long other = PyLong_AsLongLongAndOverflow(right, &right_over);
    if (!left_over && !right_over) (is_const ? trace_const_cmp : trace_cmp)(one, other);
}

static void tell_bytes(PyObject *left, PyObject *right, PyObject *place) {
    size_t size = PyBytes_GET_SIZE(left);
    trace_cmp(size, PyBytes_GET_SIZE(right));
    if (size != (size_t)PyBytes_GET_SIZE(right)) return;
    const char *one = PyBytes_AS_STRING(left), *other = PyBytes_AS_STRING(right);
    trace_memcmp(PyLong_AsVoidPtr(place), one, other, size, memcmp(one, other, size));
}

/* Left, right, operator, place, and whether the left is a constant; as atheris._trace_cmp. */
static PyObject *cmp(PyObject *module, PyObject *const *args, Py_ssize_t size) {
    PyObject *left = args[0], *right = args[1];
    if (PyUnicode_Check(left) && PyUnicode_Check(right))
        return PyObject_Vectorcall(atheris_cmp, args, size, NULL);
    if (PyLong_Check(left) && PyLong_Check(right))
        tell_integers(left, right, args[4] == Py_True);
    else if (PyBytes_Check(left) && PyBytes_Check(right))
        tell_bytes(left, right, args[3]);
    return PyObject_RichCompare(left, right, (int)PyLong_AsLong(args[2]));
}

/* Path of the library that has libFuzzer, number of places, atheris._trace_cmp. */
static PyObject *begin(PyObject *module, PyObject *args) {
    const char *path;
    if (!PyArg_ParseTuple(args, "slO", &path, &count, &atheris_cmp)) return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (!library) return PyErr_Format(PyExc_OSError, "%s", dlerror());
    void (*counters_are)(uint8_t *, uint8_t *) = dlsym(library, "__sanitizer_cov_8bit_counters_init");
    void (*places_are)(uintptr_t *, uintptr_t *) = dlsym(library, "__sanitizer_cov_pcs_init");
    trace_cmp = dlsym(library, "__sanitizer_cov_trace_cmp8");
    trace_const_cmp = dlsym(library, "__sanitizer_cov_trace_const_cmp8");
    trace_memcmp = dlsym(library, "__sanitizer_weak_hook_memcmp");
    counters = calloc(count, 1);
    uintptr_t *places = calloc(count, 2 * sizeof *places);
    if (!counters_are || !places_are || !trace_cmp || !trace_const_cmp || !trace_memcmp || !counters || !places)
        return PyErr_Format(PyExc_OSError, "%s has not what libFuzzer has", path);
    Py_INCREF(atheris_cmp);
    counters_are(counters, counters + count);
    places_are(places, places + 2 * count);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"begin", begin, METH_VARARGS, NULL},
    {"branch", branch, METH_O, NULL},
    {"cmp", (PyCFunction)(void (*)(void))cmp, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "tracing_c", NULL, -1, methods};

PyMODINIT_FUNC PyInit_tracing_c(void) { return PyModule_Create(&definition); }
