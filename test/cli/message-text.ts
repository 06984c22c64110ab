// SPDX-License-Identifier: MIT
// How a message is written down, in place of which source says it.
import ts from 'typescript';

/** What an argument becomes. "tried" and "said" are the two halves of a KernelError; "options" holds halves and hints. */
export type Role = 'message' | 'tried' | 'said' | 'errno' | 'hint' | 'note' | 'bug' | 'expected' | 'options';

/** Part of one message: what it becomes, and what it can be. */
export type Part = { readonly role: Role; readonly texts: readonly string[] };

/** An expression without what only tells the compiler something. */
export function bare(node: ts.Expression): ts.Expression {
  const isWrapped =
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isNonNullExpression(node) ||
    ts.isSatisfiesExpression(node);
  return isWrapped ? bare(node.expression) : node;
}

/** What a value is called in a template: {remote} for address.format(remote), {names} for names.join(', '). */
export function nameOf(node: ts.Expression): string {
  const plain = bare(node);
  if (ts.isPropertyAccessExpression(plain)) return `${nameOf(plain.expression)}.${plain.name.text}`;
  if (!ts.isCallExpression(plain)) return plain.getText().replaceAll(/\s+/g, ' ');
  const { expression, arguments: given } = plain;
  const isMethod = ts.isPropertyAccessExpression(expression);
  if (isMethod && ['join', 'map', 'filter'].includes(expression.name.text)) return nameOf(expression.expression);
  const last = given.at(-1);
  const isShown = isMethod || /^(format|name)/.test(nameOf(expression));
  return last !== undefined && isShown ? nameOf(last) : nameOf(expression);
}

/** The function, class or table around a node. */
export function whereIs(node: ts.Node): string {
  for (let at: ts.Node | undefined = node; at !== undefined; at = at.parent) {
    const isNamed = ts.isFunctionDeclaration(at) || ts.isMethodDeclaration(at) || ts.isClassDeclaration(at);
    const isConstant =
      ts.isVariableDeclaration(at) &&
      ts.isVariableStatement(at.parent.parent) &&
      ts.isSourceFile(at.parent.parent.parent);
    if (isNamed || isConstant) return ts.getNameOfDeclaration(at as ts.Declaration)?.getText() ?? '';
  }
  return '';
}

/** Parts as a user reads them. A place that only hands on what its callers say has no lines. */
export function linesOf(parts: readonly Part[]): string[] {
  const of = (role: Role): string[] => [
    ...new Set(parts.filter((part) => part.role === role).flatMap(({ texts }) => texts)),
  ];
  const tried = of('tried');
  const said = [...of('said'), ...(of('said').length === 0 ? of('errno') : [])].join(' | ') || '...';
  const refused = tried.length === 0 && said !== '...' ? [`${said}`] : tried.map((text) => `Error: ${text}: ${said}`);
  const lines = [
    ...of('message').map((text) => `Error: ${text}`),
    ...refused,
    ...of('bug').map((text) => `bug: ${text}`),
    ...of('expected').map((text) => `expected ${text}`),
    ...of('hint').map((text) => `Hint: ${text}`),
    ...of('note').map((text) => `Note: ${text}`),
  ];
  return lines.filter((line) => !/^(\w+:?)? ?(\{[^{}]*\}|\.\.\.|: | \| )*$/.test(line));
}
