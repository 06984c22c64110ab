// SPDX-License-Identifier: MIT
import test from 'ava';
import { closeFixture } from '../fixture';
import { peerKernels } from './kernels';
import { tunnelsOf } from './subjects';

test.after.always(closeFixture);

for (const kernel of peerKernels) tunnelsOf(kernel);
