// SPDX-License-Identifier: MIT
import test from 'ava';
import { closeFixture } from '../fixture';
import { quickKernels } from './kernels';
import { tunnelsOf } from './subjects';

test.after.always(closeFixture);

for (const kernel of quickKernels) tunnelsOf(kernel);
