"""Pickles made to crash the process or to exhaust it: each ends soon, in little memory, and with a message.

Every one is read in a process of its own, whose memory and time are limited, so that a crash is a failure.
"""

import json
import pickle
import pickletools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READER = """
import json, os, pathlib, resource, signal, sys
from pyro_mmvae.data import restricted_pickle

restricted_pickle.SPARE_MEMORY //= 8  # a smaller bomb is read sooner, and must end all the same
mapped = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
for name in sorted(os.listdir(sys.argv[1])):
    data = pathlib.Path(sys.argv[1], name).read_bytes()
    if child := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            print(json.dumps([name, f"died: {status}"]), flush=True)
        continue
    signal.alarm(30)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 2**30,) * 2)
    try:
        value = restricted_pickle.restricted_loads(data)
        result = f"value of {len(repr(value))} characters"
    except ValueError as error:
        result = f"{type(error).__name__}: {error}"
    except BaseException as error:
        result = f"other {type(error).__name__}: {error}"
    print(json.dumps([name, result]), flush=True)
    os._exit(0)
"""


def text(value):
    return b"X" + len(value).to_bytes(4, "little") + value


def raw(size, opcode=b"B"):
    return opcode + size.to_bytes(4, "little") + bytes(size)


def eight(opcode, size):
    return opcode + size.to_bytes(8, "little")


def integer(value):
    return pickletools.optimize(pickle.dumps(value, 2))[2:-1]


def dtype(kind, state=b""):
    return b"cnumpy\ndtype\n" + text(kind) + b"\x89\x88\x87R" + state


def array(shape, kind, content, state=b"", fortran=b"\x89"):
    """A pickle, without PROTO and STOP, of an array; shape is a pickle of a tuple."""
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01bt" + b"R"
    return start + b"(K\x01" + shape + dtype(kind, state) + fortran + content + b"tb"


def state_of(order=b"<", names=b"NNN", layout=b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"):
    return b"(K\x03" + text(order) + names + layout + b"tb"


def laughs(start, end, depth=12):
    """Ten references to ten references to ..., by memo; what is not needed any more stays below on the stack."""
    data = start + b"K\x00" * 10 + end + b"q\x00"
    for level in range(1, depth):
        data += start + (b"h" + bytes([level - 1])) * 10 + end + b"q" + bytes([level])
    return data


POINTER = b"C\x08" + b"AAAAAAAA"  # into nothing
FIELD = text(b"a") + b"\x85}" + text(b"a") + dtype(b"O8") + b"K\x00\x86s"
# Flags of 0 deny the objects, so that numpy takes the bytes for pointers.
OBJECT_FIELD = state_of(b"|", b"N" + FIELD, b"K\x08K\x01K\x00")
ONE = b"K\x01\x85"
MEGABYTE = 2**20

REFUSED = {
    # What numpy was called with: the first two wrote to memory.
    "ndarray over bytes as objects": (b"cnumpy\nndarray\n(" + ONE + dtype(b"O8") + POINTER + b"tR", "refused to call"),
    "dtype given an object field": (array(ONE, b"V8", POINTER, OBJECT_FIELD), "expected an array of numbers"),
    "number given an object field": (array(ONE, b"f8", POINTER, OBJECT_FIELD), "without fields"),
    "scalar of an object": (b"cnumpy.core.multiarray\nscalar\n" + dtype(b"O8") + raw(8) + b"\x86R", "array of numbers"),
    "object array": (array(ONE, b"O8", b"](K\x01e"), "expected the bytes|array of numbers"),
    "subarray": (array(ONE, b"f8", raw(8), state_of(names=dtype(b"f8") + ONE + b"\x86NN")), "without fields"),
    "object flag": (array(ONE, b"f8", raw(8), state_of(layout=b"K\x08K\x08K\x01")), "without fields"),
    "metadata": (array(ONE, b"M8", raw(8)), "array of numbers"),
    "booleans of 2": (array(ONE, b"b1", b"C\x01\x02"), "booleans of 0 and 1"),
    "text beyond Unicode": (array(ONE, b"U1", b"C\x04\xff\xff\xff\x7f"), "code points"),
    "array without values": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR.",
        "PickledArray",
    ),
    "ndarray itself": (b"cnumpy\nndarray\n", "PickledName"),
    "a type set as item": (b"}cnumpy\nndarray\nK\x01s", "PickledName"),
    # Shapes
    "too few bytes": (array(integer((10**12,)), b"f8", raw(8)), "as many bytes as"),
    "too many bytes": (array(ONE, b"f8", raw(16)), "as many bytes as"),
    "negative": (array(b"J\xff\xff\xff\xff\x85", b"f8", raw(8)), "non-negative"),
    "two negatives": (array(b"J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86", b"f8", raw(8)), "non-negative"),
    "rows of nothing": (array(integer((10**12, 0)), b"f8", b"C\x00"), "needs at most"),
    "overflowing": (array(integer((2**64, 2**64, 0)), b"f8", b"C\x00"), "needs at most"),
    "many rows of nothing": (array(integer((10**7, 0)), b"f8", b"C\x00"), "wherever they appear"),
    "elements of nothing": (array(integer((10**7,)), b"S0", b"C\x00"), "wherever they appear"),
    "dimensions": (array(b"(" + b"K\x01" * 40 + b"t", b"f8", raw(8)), "at most 32"),
    "axes": (
        b"cnumpy.core.numeric\n_frombuffer\n(" + raw(8) + dtype(b"f8") + ONE + text(b"K") + integer((5,)) + b"tR",
        "permutation",
    ),
    # Sizes that are announced and not there
    "bytes": (eight(b"\x8e", 2**40), "damaged"),
    "bytearray": (eight(b"\x96", 2**40), "damaged"),
    "text": (eight(b"\x8d", 2**63), "damaged"),
    "frame": (eight(b"\x95", 2**40), "damaged"),
    "integer": (b"\x8b\xff\xff\xff\x7f", "integers of at most"),
    "bytes of a size": (b"cbuiltins\nbytes\n" + integer(10**12) + b"\x85R", "refused to call builtins.bytes"),
    "bytearray of a size": (b"c__builtin__\nbytearray\n" + integer(10**12) + b"\x85R", "refused to call"),
    "memo entry that is not there": (b"j\xff\xff\xff\xff", "damaged"),
    # Long numbers
    "digits": (b"L" + b"9" * MEGABYTE + b"L\n", "numbers of at most"),
    "digits of an index": (b"Np" + b"9" * MEGABYTE + b"\n", "numbers of at most"),
    "long integer": (b"\x8b" + MEGABYTE.to_bytes(4, "little") + b"\x7f" * MEGABYTE, "integers of at most"),
    "float": (b"F" + b"9" * MEGABYTE + b"\n", "numbers of at most"),
    "complex of text": (b"cbuiltins\ncomplex\n" + text(b"1" * MEGABYTE) + b"\x85R", "refused to call"),
    # Depth and sharing
    "deep lists": (b"]" * 100_000 + b"a" * 99_999, "at most 50 deep"),
    "deep tuples": (b"N" + b"\x85" * 100_000, "at most 50 deep"),
    "deep tuples by sharing": (b"N" + b"\x85q\x00h\x00" * 60 + b"\x85" * 60, "at most 50 deep"),
    "deep dictionaries": (b"}K\x01" * 10**5 + b"N" + b"s" * 10**5, "at most 50 deep"),
    "deep key": (b"}N" + b"\x85" * 100_000 + b"Ns", "as keys"),
    "deep member of a set": (b"\x8f(N" + b"\x85" * 100_000 + b"\x90", "as keys"),
    "deep state of dtypes": (dtype(b"f8") * 10**5 + b"b" * (10**5 - 1), "PickledDtype"),
    "laughing lists": (laughs(b"](", b"e"), "wherever they appear"),
    "laughing tuples": (laughs(b"(", b"t"), "wherever they appear"),
    "laughing key": (laughs(b"(", b"t") + b"}h\x0bNs", "as keys"),
    "laughing dictionaries": (
        b"Nq\x00" + b"".join(b"}(K\x00h%cK\x01h%cuq%c" % (i, i, i + 1) for i in range(40)),
        "wherever they appear",
    ),
    "shared megabyte": (b"](" + raw(MEGABYTE) + b"q\x00" + b"h\x00" * 10**5 + b"e", "wherever they appear"),
    "list in itself": (b"]q\x00h\x00a", "contains itself"),
    "dictionary in itself": (b"}q\x00K\x00h\x00s", "contains itself"),
    # Little in the file, much in memory or time
    "copies of an array": (
        raw(MEGABYTE) + b"q\x00]" + (array(integer((MEGABYTE,)), b"u1", b"h\x00") + b"a") * 2000,
        "needs at most",
    ),
    "copies of bytes": (
        b"]" + text(b"a" * MEGABYTE) + b"q\x00a" + b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86Ra" * 5000,
        "needs at most",
    ),
    "marks": (b"(" * 2**19, "needs at most"),
    "lists": (b"]" * 2**19, "needs at most"),
    "sets": (b"\x8f" * 2**17, "needs at most"),
    "memo": (b"N" + b"\x94" * 2**18, "needs at most"),
    "long keys compared": (
        b"}" + text(b"a" * MEGABYTE) + b"Ns" + text(b"a" * MEGABYTE) + b"q\x00Ns" + b"h\x00Ns" * 10**5,
        "needs at most",
    ),
    "long tuple as key": (b"}(" + b"K\x01" * 10**4 + b"tNs", "as keys"),
    # Keys and opcodes
    "list as key": (b"}]Ns", "got list"),
    "list in a set": (b"\x8f(]\x90", "got list"),
    "bytearray as key": (b"}" + eight(b"\x96", 0) + b"Ns", "got bytearray"),
    "array as key": (b"}" + array(ONE, b"f8", raw(8)) + b"Ns", "got ndarray"),
    "new object": (b"cbuiltins\nset\n)\x81", "opcode NEWOBJ"),
    "instance": (b"(ios\nsystem\n", "opcode INST"),
    "persistent id": (b"Pname\n", "opcode PERSID"),
    "extension": (b"\x82\x01", "opcode EXT1"),
    "buffer outside": (b"\x97", "opcode NEXT_BUFFER"),
    "call of a number": (b"K\x01)R", "refused to call a int"),
    "attributes of a dictionary": (b"}}b", "refused to set attributes"),
    "append to a dictionary": (b"}K\x01a", "expected a list"),
    "name with a line feed": (b"\x8c\x03a\nb\x8c\x01c\x93", r"a\\nb\.c"),
    "protocol": (b"\x80\x09N", "protocol 0 to 5"),
}
HARMLESS = {
    "memo index": b"Nr\xff\xff\xff\xff",
    "memo index in digits": b"Np99999999999999\n",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    if not sys.platform.startswith("linux"):
        pytest.skip("limits memory as Linux does")
    folder = tmp_path_factory.mktemp("bombs")
    for name, data in ({name: data for name, (data, _) in REFUSED.items()} | HARMLESS).items():
        (folder / name).write_bytes(b"\x80\x02" + data + b".")
    result = subprocess.run([sys.executable, "-c", READER, str(folder)], capture_output=True, text=True, cwd=ROOT)
    return dict(json.loads(line) for line in result.stdout.splitlines())


@pytest.mark.parametrize("name", REFUSED)
def test_bombs_end_in_one_line(outcomes, name):
    assert outcomes[name].startswith("UnsafePickleError: the pickle: ")
    assert re.search(REFUSED[name][1], outcomes[name])
    assert "\n" not in outcomes[name]
    assert len(outcomes[name]) < 500


@pytest.mark.parametrize("name", HARMLESS)
def test_indices_of_the_memo_take_no_room(outcomes, name):
    assert outcomes[name] == "value of 4 characters"
