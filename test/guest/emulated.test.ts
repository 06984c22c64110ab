// SPDX-License-Identifier: MIT
import test from 'ava';
import { closeFixture } from '../fixture';
import { emulatedKernels } from './kernels';
import { tunnelsOf } from './subjects';

test.after.always(closeFixture);

for (const kernel of emulatedKernels) tunnelsOf(kernel);
