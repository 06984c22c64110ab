// SPDX-License-Identifier: MIT
// What BPF_PROG_TEST_RUN cannot show: super-packets with a kind, frames shorter than an IP header, VLAN tags that the
// stack has taken out, frames without link header. The programs run on devices, with the maps of the other tests.
import { closeSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { BPF_TCX_INGRESS, linkCreate } from '../../src/bindings/bpf-fd';
import { zero } from '../../src/datapath/codec';
import { path_kind, tx_flag } from '../../src/datapath/layout.gen';
import { setFeatures } from '../../src/netlink/ethtool';
import { getLink } from '../../src/netlink/link';
import { openRoute } from '../../src/netlink/route';
import { openGeneric } from '../../src/netlink/socket';
import { inNetns } from '../../src/netns';
import { packetSocket, type Socket } from '../agent';
import { closeFixture, namespace, using, wire } from '../fixture';
import { must, waitFor, within } from '../run';
import { arriving, delivered, gtp } from './gtp';
import { sameFrame } from './harness';
import { etherType, plain } from './inners';
import { A, A6, B, B6, bare, eth, mac, mapped, pattern, SERVER, SERVER6, UE, UE6 } from './packet';
import { LINK, LINK_MAC, PORT, portBits, REMOTE_TEID, rxKey, txSession, type TxWords } from './session';
import { makeWorld, type World } from './world';

