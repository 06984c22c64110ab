// SPDX-License-Identifier: MIT
import type { CommandCost } from './command';
import { FLOODS, type FloodFigures, type FloodName } from './flood';
import { type Figure, type Figures, WORKS, type Work } from './measure';
import type { Cost } from './testrun';
import { type VariantName, variants } from './variants';

/** Everything that was measured; what was left out is undefined. */
export interface Results {
  readonly figures: Figures;
  readonly flood: FloodFigures | undefined;
  readonly testrun: readonly Cost[] | undefined;
  readonly command: { readonly ours: CommandCost; readonly node: CommandCost } | undefined;
}

/** One line of the table: our figure beside another's, and how it compares with the bars. */
export interface Row {
  readonly work: string;
  readonly ours: string;
  readonly reference: string;
  /** As the bars are meant: a ratio, or a difference with its unit. */
  readonly wall: number;
  readonly perCpu: number | undefined;
  readonly unit: string;
  readonly atLeast: number;
  readonly aim: number;
  readonly verdict: 'aim' | 'met' | 'MISSED';
}

/** The lines for which there are figures. */
export function rows({ figures, flood, testrun, command }: Results): Row[] {
  return [
    ...BARS.flatMap((bar) => trafficRow(figures, bar)),
    ...(flood === undefined ? [] : floodRows(flood)),
    ...(testrun ?? []).map(testRunRow),
    ...(command === undefined ? [] : [commandRow(command)]),
  ];
}

/** The table of rows as text. */
export function formatRows(list: readonly Row[]): string {
  const head = ['work', 'ours', 'reference', 'ratio', 'per CPU-s', 'at least', 'aim', ''];
  const sign = (row: Row, value: number | undefined): string =>
    value === undefined
      ? '-'
      : row.unit === ''
        ? value.toFixed(2)
        : `${value > 0 ? '+' : ''}${value.toFixed(1)} ${row.unit}`;
  const lines = list.map((row) => [
    row.work,
    row.ours,
    row.reference,
    sign(row, row.wall),
    sign(row, row.perCpu),
    sign(row, row.atLeast),
    sign(row, row.aim),
    row.verdict,
  ]);
  return table([head, ...lines]);
}

/** Every variant's medians, ranges and ratios to the raw veth pair. */
export function formatVariants(figures: Figures): string {
  const raw = figures.raw;
  const head = ['variant', ...Object.values(WORKS).flatMap((title) => [title, 'of raw', 'per CPU-s'])];
  const lines = (Object.keys(figures) as VariantName[]).map((name) => [
    variants[name].title,
    ...(Object.keys(WORKS) as Work[]).flatMap((work) => {
      const [figure, base] = [figures[name]![work], raw?.[work]];
      return [withRange(figure, work), ...(base === undefined ? ['', ''] : ratios(figure, base).map(text))];
    }),
  ]);
  return table([head, ...lines]);
}

/** A session beside each flood, with the ratios to the flood of a socket. */
export function formatFlood(figures: FloodFigures): string {
  const head = [
    'flood',
    'frames',
    'CPU of one',
    'of socket',
    WORKS.tcp1,
    'of socket',
    WORKS.rtt,
    'of socket',
    'Error Indications',
  ];
  const lines = (Object.keys(FLOODS) as FloodName[]).map((name) => {
    const { frames, cost, tcp, rtt, answers, allowed } = figures[name];
    return [
      FLOODS[name].title,
      `${(frames.median / 1000).toFixed(0)} k/s`,
      nanoseconds(cost),
      text(cost.median / figures.deaf.cost.median),
      withRange({ wall: tcp, perCpu: undefined }, 'tcp1'),
      text(tcp.median / figures.deaf.tcp.median),
      withRange({ wall: rtt, perCpu: undefined }, 'rtt'),
      text(rtt.median / figures.deaf.rtt.median),
      `${answers.median}`,
      `${allowed.median}`,
    ];
  });
  return table([head, ...lines]);
}

interface Bar {
  readonly ours: VariantName;
  readonly against: VariantName;
  readonly work: Work;
  readonly atLeast: number;
  readonly aim: number;
  /** Microseconds above instead of a ratio. */
  readonly above?: true;
}

const BARS: readonly Bar[] = [
  { ours: 'hairpin', against: 'raw', work: 'tcp1', atLeast: 0.92, aim: 0.98 },
  { ours: 'hairpin', against: 'raw', work: 'tcp4', atLeast: 0.75, aim: 0.85 },
  { ours: 'hairpin', against: 'raw', work: 'udp', atLeast: 0.85, aim: 0.95 },
  { ours: 'hairpin', against: 'raw', work: 'rtt', atLeast: 2, aim: 1, above: true },
  { ours: 'wire', against: 'vxlanWire', work: 'tcp1', atLeast: 1.1, aim: 1.3 },
  { ours: 'wire', against: 'vxlanWire', work: 'tcp4', atLeast: 1.1, aim: 1.3 },
  { ours: 'wire', against: 'vxlanWire', work: 'udp', atLeast: 1.4, aim: 1.6 },
  { ours: 'wire', against: 'vxlanWire', work: 'rtt', atLeast: 0.7, aim: 0.5 },
  ...(['greHairpin', 'gretapHairpin', 'geneveHairpin', 'vxlanHairpin', 'l2tpHairpin'] as const).map(
    (ours) => ({ ours, against: 'raw', work: 'tcp1', atLeast: 0.9, aim: 0.98 }) as const,
  ),
  ...(['greWire', 'gretapWire', 'geneveWire', 'vxlanOurs', 'l2tpWire'] as const).map(
    (ours) => ({ ours, against: 'vxlanSummed', work: 'tcp1', atLeast: 1, aim: 1.2 }) as const,
  ),
  ...(['greKept', 'gretapKept', 'geneveKept', 'vxlanKept', 'l2tpKept'] as const).map(
    (ours) => ({ ours, against: 'vxlan', work: 'tcp1', atLeast: 1, aim: 1.2 }) as const,
  ),
];
// The frames cost something wherever they go: answering must not cost more than a socket does.
const FLOOD_BARS = { cost: { atLeast: 1.1, aim: 1 }, tcp: { atLeast: 0.9, aim: 1 }, rtt: { atLeast: 1.1, aim: 1 } };
const TEST_RUN_BARS = { one: { atLeast: 1.4, aim: 1.15 }, many: { atLeast: 1.3, aim: 1.1 } };
const COMMAND_BARS = { atLeast: 25, aim: 5 };

function trafficRow(figures: Figures, bar: Bar): Row[] {
  const [mine, base] = [figures[bar.ours]?.[bar.work], figures[bar.against]?.[bar.work]];
  if (mine === undefined || base === undefined) return [];
  const [ratio, perCpu] = ratios(mine, base);
  const wall = bar.above ? (mine.wall.median - base.wall.median) / 1000 : ratio!;
  const row = {
    work: `${variants[bar.ours].title.replace('ours, ', '')} ${WORKS[bar.work]}`,
    ours: amount(mine.wall.median, bar.work),
    reference: `${amount(base.wall.median, bar.work)} ${variants[bar.against].title}`,
    wall,
    perCpu,
    unit: bar.above ? 'us' : '',
  };
  return [judged(row, bar)];
}

function floodRows({ teids, deaf }: FloodFigures): Row[] {
  const row = (work: string, which: 'cost' | 'tcp' | 'rtt', show: (value: number) => string): Row =>
    judged(
      {
        work,
        ours: show(teids[which].median),
        reference: `${show(deaf[which].median)} a flooded socket`,
        wall: teids[which].median / deaf[which].median,
        perCpu: undefined,
        unit: '',
      },
      FLOOD_BARS[which],
    );
  return [
    row('unknown TEID, CPU of a frame', 'cost', (value) => `${value.toFixed(0)} ns`),
    row(`beside them ${WORKS.tcp1}`, 'tcp', (value) => amount(value, 'tcp1')),
    row(`beside them ${WORKS.rtt}`, 'rtt', (value) => amount(value, 'rtt')),
  ];
}

const nanoseconds = ({ median, min, max }: Figure['wall']): string =>
  `${median.toFixed(0)} ns [${min.toFixed(0)}..${max.toFixed(0)}]`;

function testRunRow(cost: Cost): Row {
  const bars = cost.title.includes('sessions') ? TEST_RUN_BARS.many : TEST_RUN_BARS.one;
  const whole = (cost.ours + cost.floor) / (cost.bare + cost.floor);
  const lookup = cost.withLookup === undefined ? '' : `, ${cost.withLookup} ns with a look-up`;
  const row = {
    work: `test-run ${cost.title}`,
    ours: `${cost.ours} ns`,
    reference: `${cost.bare} ns bare${lookup} (whole calls: ${whole.toFixed(2)})`,
    wall: cost.ours / cost.bare,
    perCpu: undefined,
    unit: '',
  };
  return judged(row, bars);
}

function commandRow({ ours, node }: { ours: CommandCost; node: CommandCost }): Row {
  const ms = (seconds: number): string => `${(seconds * 1000).toFixed(1)} ms`;
  const row = {
    work: 'gtp session add, CPU',
    ours: ms(ours.cpu.median),
    reference: `${ms(node.cpu.median)} node -e 0`,
    wall: (ours.cpu.median - node.cpu.median) * 1000,
    perCpu: undefined,
    unit: 'ms',
  };
  return judged(row, COMMAND_BARS);
}

// Where the aim is below the bar, less is better.
function judged(
  row: Omit<Row, 'atLeast' | 'aim' | 'verdict'>,
  { atLeast, aim }: { atLeast: number; aim: number },
): Row {
  const passes = (bar: number): boolean => (aim < atLeast ? row.wall <= bar : row.wall >= bar);
  return { ...row, atLeast, aim, verdict: passes(aim) ? 'aim' : passes(atLeast) ? 'met' : 'MISSED' };
}

function ratios(mine: Figure, base: Figure): [number, number | undefined] {
  const perCpu = mine.perCpu && base.perCpu ? mine.perCpu.median / base.perCpu.median : undefined;
  return [mine.wall.median / base.wall.median, perCpu];
}

const text = (value: number | undefined): string => value?.toFixed(2) ?? '-';

function amount(value: number, work: Work): string {
  if (work === 'rtt') return `${(value / 1000).toFixed(1)} us`;
  return work === 'udp' ? `${(value / 1000).toFixed(0)} kpps` : `${(value / 1e9).toFixed(2)} Gb/s`;
}

function withRange({ wall }: Figure, work: Work): string {
  const number = (value: number): string => amount(value, work).split(' ')[0]!;
  return `${amount(wall.median, work)} [${number(wall.min)}..${number(wall.max)}]`;
}

function table(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
