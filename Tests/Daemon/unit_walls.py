#!/usr/bin/env python3
"""Runs a program behind those walls of a systemd unit that a program could run into: the capability bounding set,
NoNewPrivileges, PrivateDevices, ProcSubset, and the system call filters of SystemCallFilter, MemoryDenyWriteExecute and
RestrictAddressFamilies, as systemd makes them. Which files can be written is left to whoever calls. Needs root, and a mount
namespace of its own to change.

usage: unit_walls.py UNIT PROGRAM [ARGUMENT...]
"""
import ctypes
import os
import re
import subprocess
import sys

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
ALLOW, EPERM, EAFNOSUPPORT = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 97
EQUAL, MASKED_EQUAL = 4, 7
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}

libc = ctypes.CDLL(None, use_errno=True)
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def settings(unit):
    values = {}
    with open(unit, encoding="utf-8") as lines:
        for line in lines:
            name, equals, value = line.strip().partition("=")
            if equals and not line.startswith("#"):
                values.setdefault(name, []).append(value)
    return values


def calls(group, groups):
    """The system calls of a group, those of the groups in it too."""
    if not group.startswith("@"):
        return {group}
    return set().union(*(calls(member, groups) for member in groups[group]))


def syscall_groups():
    listed = subprocess.run(["systemd-analyze", "syscall-filter"], check=True, capture_output=True, text=True).stdout
    groups, current = {}, None
    for line in re.sub(r"\x1b\[[0-9;]*m", "", listed).splitlines():
        word = line.split("#")[0].strip()
        if word and not line.startswith(" "):
            current = groups.setdefault(word, [])
        elif word and current is not None:
            current.append(word)
    return groups


class Filter:
    def __init__(self, otherwise):
        self.context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(otherwise)))

    def add(self, action, call, *comparisons):
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return  # Of another architecture.
        array = (Comparison * len(comparisons))(*comparisons)
        code = seccomp.seccomp_rule_add_array(self.context, ctypes.c_uint32(action), number, len(comparisons), array)
        assert code == 0, (call, code)

    def load(self):
        code = seccomp.seccomp_load(self.context)
        assert code == 0, code


def filter_memory():
    made = Filter(ALLOW)
    both = PROT_WRITE | PROT_EXEC
    made.add(EPERM, "mmap", Comparison(2, MASKED_EQUAL, both, both))
    made.add(EPERM, "mprotect", Comparison(2, MASKED_EQUAL, PROT_EXEC, PROT_EXEC))
    made.add(EPERM, "pkey_mprotect", Comparison(2, MASKED_EQUAL, PROT_EXEC, PROT_EXEC))
    made.add(EPERM, "shmat", Comparison(2, MASKED_EQUAL, SHM_EXEC, SHM_EXEC))
    made.load()


def filter_families(allowed):
    made = Filter(ALLOW)
    for family in range(46):
        if family not in allowed:
            made.add(EAFNOSUPPORT, "socket", Comparison(0, EQUAL, family, 0))
    made.load()


def filter_calls(lines):
    groups = syscall_groups()
    allowed = set()
    for line in lines:
        named = set().union(*(calls(word, groups) for word in line.lstrip("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    made = Filter(EPERM)
    for call in sorted(allowed):
        made.add(ALLOW, call)
    made.load()


def private_devices():
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        os.close(os.open(f"/tmp/.unit-walls-{os.getpid()}-{name}", os.O_CREAT | os.O_WRONLY))
        subprocess.run(["mount", "--bind", f"/dev/{name}", f"/tmp/.unit-walls-{os.getpid()}-{name}"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,noexec,mode=755", "tmpfs", "/dev"], check=True)
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        hidden = f"/tmp/.unit-walls-{os.getpid()}-{name}"
        os.close(os.open(f"/dev/{name}", os.O_CREAT | os.O_WRONLY))
        subprocess.run(["mount", "--move", hidden, f"/dev/{name}"], check=True)
        os.unlink(hidden)


def main():
    unit = settings(sys.argv[1])
    if unit.get("PrivateDevices") == ["yes"]:
        private_devices()
    if unit.get("ProcSubset") == ["pid"]:
        subprocess.run(["mount", "-t", "proc", "-o", "subset=pid,hidepid=invisible", "proc", "/proc"], check=True)
    kept = {capability_number(name) for name in unit["CapabilityBoundingSet"][0].split()}
    if unit.get("PrivateDevices") == ["yes"]:
        kept.discard(capability_number("CAP_MKNOD"))
    for capability in range(64):
        if capability not in kept:
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # Fails for numbers that this kernel does not have.
    if unit.get("NoNewPrivileges") == ["yes"]:
        assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if unit.get("MemoryDenyWriteExecute") == ["yes"]:
        filter_memory()
    filter_families({FAMILIES[name] for name in unit["RestrictAddressFamilies"][0].split()})
    filter_calls(unit["SystemCallFilter"])
    os.execv(sys.argv[2], sys.argv[2:])


def capability_number(name):
    """The number of a capability, as linux/capability.h has it."""
    names = ["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
             "LINUX_IMMUTABLE", "NET_BIND_SERVICE"]
    return {"CAP_MKNOD": 27, "CAP_SETFCAP": 31}.get(name) or names.index(name.removeprefix("CAP_"))


main()
