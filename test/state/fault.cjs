// SPDX-License-Identifier: MIT
// Loaded before the command (node --require): makes the FAULT-th call that would change anything fail with EIO, or with
// FAULT_KILL ends the process in its place; with FAULT_CALL, of the calls whose names begin so. The name of the call goes to the file
// FAULT_LOG; with FAULT=0 those of all.
'use strict';
const fs = require('node:fs');
const Module = require('node:module');

const { FAULT = '0', FAULT_CALL = '', FAULT_KILL, FAULT_LOG } = process.env;
const EIO = 5;
const { openSync, writeSync } = fs;
const protocols = new Map();
let count = 0;
let injectedErrno = false;

/** Whether this call is the one that fails. */
function isDue(name) {
  if (!name.startsWith(FAULT_CALL)) return false;
  count += 1;
  if (FAULT !== '0' && count !== Number(FAULT)) return false;
  writeSync(openSync(FAULT_LOG, 'a'), `${name}\n`);
  if (FAULT === '0') return false;
  if (FAULT_KILL !== undefined) process.kill(process.pid, 'SIGKILL');
  return true;
}

const BPF = [
  ...['bpf_obj_pin', 'bpf_link_create', 'bpf_link_detach', 'bpf_map_update_elem', 'bpf_map_delete_elem'],
  ...['bpf_map_update_batch', 'bpf_map_delete_batch', 'bpf_prog_test_run_opts', 'bpf_object__load', 'bpf_link_update'],
  'bpf_map_create',
];

function wrap(name, real) {
  if (BPF.includes(name)) return (...args) => (isDue(name) ? -EIO : real(...args));
  if (name === 'mount' || name === 'umount2') return (...args) => (isDue(name) ? refuse() : real(...args));
  if (name === 'send') return (fd, data, ...rest) => (isChange(fd, data) ? refuse() : real(fd, data, ...rest));
  if (name !== 'socket') return real;
  return (domain, type, protocol) => {
    const fd = real(domain, type, protocol);
    protocols.set(fd, protocol);
    return fd;
  };
}

function refuse() {
  injectedErrno = true;
  return -1;
}

const NETLINK_ROUTE = 0;
const RTM_GET = 2;
const NLCTRL = 16;
const ETHTOOL_FEATURES_SET = 12;

// struct nlmsghdr has 16 octets, the type at 4; a generic message's command follows.
function isChange(fd, data) {
  const type = data.readUInt16LE(4);
  if (protocols.get(fd) === NETLINK_ROUTE) return type % 4 !== RTM_GET && isDue(`rtnetlink ${type}`);
  return type !== NLCTRL && data[16] === ETHTOOL_FEATURES_SET && isDue('ethtool features');
}

const load = Module._load;
Module._load = function (request, ...rest) {
  const loaded = load.call(this, request, ...rest);
  return request === 'koffi' || request.endsWith('koffi.node') ? withFaults(loaded) : loaded;
};

function withFaults(koffi) {
  return Object.create(koffi, {
    load: { value: (name) => withFaultyFunctions(koffi.load(name)) },
    errno: { value: () => (injectedErrno ? ((injectedErrno = false), EIO) : koffi.errno()) },
  });
}

function withFaultyFunctions(library) {
  const func = (prototype) => wrap(/(\w+)\(/.exec(prototype)?.[1], library.func(prototype));
  return Object.create(library, { func: { value: func } });
}

for (const name of ['mkdirSync', 'renameSync', 'rmdirSync', 'unlinkSync', 'writeFileSync']) {
  const real = fs[name];
  fs[name] = (...args) => {
    if (!isDue(`${name} ${args[0]}`)) return real(...args);
    throw Object.assign(new Error('injected'), { errno: -EIO, code: 'EIO' });
  };
}
