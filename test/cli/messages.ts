// SPDX-License-Identifier: MIT
// What the program can say when something is wrong, read from its source: every error, hint and note. A function that
// hands a parameter on into an error is followed to its callers, so that nothing is missing because of how it is built.
import { relative } from 'node:path';
import ts from 'typescript';
import { errno, strerror } from '../../src/errors';
import { bare, linesOf, nameOf, type Part, type Role, whereIs } from './message-text';

/** One place in the source that says something. */
export type Site = { readonly file: string; readonly where: string; readonly lines: readonly string[] };

/** Reads every message of the sources that tsconfig.json names below src/, in order of file and line. */
export function readMessages(): Site[] {
  const config = ts.readConfigFile('tsconfig.json', ts.sys.readFile).config as object;
  const { options, fileNames } = ts.parseJsonConfigFileContent({ ...config, include: ['src'] }, ts.sys, '.');
  // What a name means is asked for, no types of the library are: to load these would take longer than all the rest.
  const program = ts.createProgram(fileNames, {
    ...options,
    noLib: true,
    types: [],
  });
  const files = program.getSourceFiles().filter(({ fileName }) => isOurs(fileName));
  const reader = new Reader(program.getTypeChecker(), files);
  return files
    .toSorted((a, b) => (a.fileName < b.fileName ? -1 : 1))
    .flatMap((file) =>
      reader.partsIn(file).map(([node, parts]) => ({
        file: relative('.', file.fileName),
        where: whereIs(node),
        lines: linesOf(parts),
      })),
    )
    .filter(({ lines }) => lines.length > 0);
}

class Reader {
  readonly #checker: ts.TypeChecker;
  readonly #files: readonly ts.SourceFile[];
  /** Parameters that end in a message. */
  readonly #sinks = new Map<ts.ParameterDeclaration, Role>();
  /** The functions that have them. */
  readonly #names = new Set<string>();

  constructor(checker: ts.TypeChecker, files: readonly ts.SourceFile[]) {
    this.#checker = checker;
    this.#files = files;
    for (let known = -1; known < this.#sinks.size; ) {
      known = this.#sinks.size;
      for (const file of this.#files) this.partsIn(file);
    }
  }

  /** The places of a file that say something, with what they say. */
  partsIn(file: ts.SourceFile): [ts.Node, Part[]][] {
    const found: [ts.Node, Part[]][] = [];
    const visit = (node: ts.Node): void => {
      const parts = this.#partsOf(node);
      if (parts.length > 0) found.push([node, parts]);
      ts.forEachChild(node, visit);
    };
    visit(file);
    return found;
  }

  #partsOf(node: ts.Node): Part[] {
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'expected')
      return this.#read('expected', node.initializer);
    if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return [];
    const roles = this.#rolesOf(node);
    return (node.arguments ?? []).flatMap((argument, at) => {
      const role = roles[at];
      return role === undefined ? [] : this.#read(role, argument);
    });
  }

  // What becomes of the arguments of a call.
  #rolesOf(node: ts.CallExpression | ts.NewExpression): readonly (Role | undefined)[] {
    const callee = node.expression;
    const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText();
    if (ts.isNewExpression(node)) return this.#isError(callee) ? (ERRORS[name] ?? ['bug']) : [];
    if (name === 'note' && node.arguments.length === 1) return ['note'];
    if (!this.#names.has(name)) return [];
    const declaration = this.#checker.getResolvedSignature(node)?.declaration;
    const parameters = declaration === undefined || ts.isJSDocSignature(declaration) ? [] : declaration.parameters;
    return parameters.map((parameter) => this.#sinks.get(parameter));
  }

  #isError(callee: ts.Expression): boolean {
    if (/Error$/.test(callee.getText())) return true;
    const declaration = ts.isIdentifier(callee) ? this.#declarationOf(callee) : undefined;
    const isClass = declaration !== undefined && ts.isClassDeclaration(declaration);
    return isClass && declaration.heritageClauses?.some((clause) => /Error$/.test(clause.getText())) === true;
  }

  #read(role: Role, node: ts.Expression): Part[] {
    if (role === 'options') return this.#optionsOf(node);
    return [{ role, texts: this.#textsOf(node, role, []) }];
  }

  // { said: ..., hint }, with spreads of more of the same.
  #optionsOf(node: ts.Expression): Part[] {
    const plain = bare(node);
    if (ts.isConditionalExpression(plain))
      return [plain.whenTrue, plain.whenFalse].flatMap((each) => this.#optionsOf(each));
    if (!ts.isObjectLiteralExpression(plain)) {
      const value = this.#follow(plain, 'options');
      return value === undefined ? [] : this.#optionsOf(value);
    }
    return plain.properties.flatMap((property): Part[] => {
      if (ts.isSpreadAssignment(property)) return this.#optionsOf(property.expression);
      const role = property.name?.getText();
      const value = ts.isPropertyAssignment(property) ? property.initializer : property.name;
      if (value === undefined || !ts.isExpression(value)) return [];
      if (role === 'said' || role === 'hint') return this.#read(role, value);
      const name = role === 'errno' ? /^errno\('(\w+)'\)$/.exec(value.getText())?.[1] : undefined;
      return name === undefined ? [] : [{ role: 'errno', texts: [strerror(errno(name))] }];
    });
  }

  // What a name stands for: its constant, or nothing for a parameter, which from now on has that role.
  #follow(node: ts.Expression, role: Role): ts.Expression | undefined {
    const declaration = ts.isIdentifier(node) ? this.#declarationOf(node) : undefined;
    if (declaration === undefined) return undefined;
    if (ts.isParameter(declaration) && !this.#sinks.has(declaration) && ts.isIdentifier(declaration.name)) {
      this.#sinks.set(declaration, role);
      this.#names.add(declaration.parent.name?.getText() ?? '');
    }
    const isOne = ts.isVariableDeclaration(declaration) || ts.isParameter(declaration);
    return isOne && ts.isIdentifier(declaration.name) ? declaration.initializer : undefined;
  }

  #declarationOf(node: ts.Identifier): ts.Declaration | undefined {
    const symbol = ts.isShorthandPropertyAssignment(node.parent)
      ? this.#checker.getShorthandAssignmentValueSymbol(node.parent)
      : this.#checker.getSymbolAtLocation(node);
    const isAlias = symbol !== undefined && (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    return (isAlias ? this.#checker.getAliasedSymbol(symbol) : symbol)?.declarations?.[0];
  }

  // What a text can be, each way; {name} stands for what is known when it runs only.
  #textsOf(node: ts.Expression, role: Role | undefined, seen: readonly ts.Node[]): string[] {
    const plain = bare(node);
    const read = (each: ts.Expression): string[] => this.#textsOf(each, role, [...seen, plain]);
    if (seen.includes(plain)) return [];
    if (ts.isStringLiteralLike(plain)) return [plain.text];
    if (ts.isTemplateExpression(plain)) return [this.#template(plain, [...seen, plain])];
    if (ts.isConditionalExpression(plain)) return [plain.whenTrue, plain.whenFalse].flatMap(read);
    if (ts.isBinaryExpression(plain) && EITHER.includes(plain.operatorToken.kind))
      return [plain.left, plain.right].flatMap(read);
    if (plain.getText() === 'undefined') return [];
    const value = this.#follow(plain, role ?? 'message');
    if (value !== undefined) return read(value);
    const returned = ts.isCallExpression(plain) ? this.#returnsOf(plain) : [];
    if (returned.length > 0) return returned.flatMap(read);
    const told = this.#tableOf(plain);
    return told.length > 0 ? told : [`{${nameOf(plain)}}`];
  }

  #template({ head, templateSpans }: ts.TemplateExpression, seen: readonly ts.Node[]): string {
    const spans = templateSpans.map(({ expression, literal }) => {
      const ways = this.#inline(expression, seen);
      return `${ways.length === 1 ? ways[0] : `(${ways.join('|')})`}${literal.text}`;
    });
    return [head.text, ...spans].join('');
  }

  // Constants within a template are told, and everything else by its name.
  #inline(node: ts.Expression, seen: readonly ts.Node[]): string[] {
    const plain = bare(node);
    const declaration = ts.isIdentifier(plain) ? this.#declarationOf(plain) : undefined;
    const isConstant =
      declaration !== undefined && ts.isVariableDeclaration(declaration) && declaration.initializer !== undefined;
    const value = isConstant && declaration.initializer !== undefined ? bare(declaration.initializer) : plain;
    const isTold = ts.isConditionalExpression(value) || ts.isStringLiteralLike(value) || ts.isTemplateExpression(value);
    if (!isTold) return [`{${nameOf(plain)}}`];
    if (!ts.isConditionalExpression(value)) return this.#textsOf(value, undefined, seen);
    return [value.whenTrue, value.whenFalse].flatMap((each) => this.#inline(each, seen));
  }

  // What a function of ours returns that makes a text; a method of a text is told as the text.
  #returnsOf(call: ts.CallExpression): ts.Expression[] {
    const declaration = this.#checker.getResolvedSignature(call)?.declaration;
    const body = declaration !== undefined && 'body' in declaration ? declaration.body : undefined;
    const { expression } = call;
    if (declaration === undefined || body === undefined || !isOurs(body.getSourceFile().fileName)) {
      return ts.isPropertyAccessExpression(expression) && expression.name.text === 'replace'
        ? [expression.expression]
        : [];
    }
    if (body.getSourceFile().fileName.endsWith('src/errors.ts')) return []; // the texts of errno
    if (!ts.isBlock(body)) return [body as ts.Expression];
    const found: ts.Expression[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isReturnStatement(node) && node.expression !== undefined) found.push(node.expression);
      if (!ts.isFunctionLike(node)) ts.forEachChild(node, visit);
    };
    visit(body);
    return found;
  }

  // The sentences of a table of constants that is looked up: HINTS.find(...)?.[1].
  #tableOf(node: ts.Expression): string[] {
    let root: ts.Node = node;
    while (ts.isPropertyAccessExpression(root) || ts.isElementAccessExpression(root) || ts.isCallExpression(root)) {
      const [first] = ts.isCallExpression(root) ? root.arguments : [];
      const isOfObject = /^Object\.\w+$/.test(root.expression.getText());
      root = first !== undefined && isOfObject ? first : root.expression;
    }
    const declaration = root !== node && ts.isIdentifier(root) ? this.#declarationOf(root) : undefined;
    const table =
      declaration !== undefined && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
    const found: string[] = [];
    const visit = (each: ts.Node): void => {
      if (ts.isStringLiteralLike(each) && each.text.includes(' ')) found.push(each.text);
      ts.forEachChild(each, visit);
    };
    if (table !== undefined && !ts.isFunctionLike(bare(table))) visit(table);
    return found;
  }
}

/** What becomes of the arguments of an error; any other is a bug. */
const ERRORS: Readonly<Record<string, readonly Role[]>> = {
  UsageError: ['message', 'options'],
  KernelError: ['tried', 'options'],
};
const EITHER = [ts.SyntaxKind.QuestionQuestionToken, ts.SyntaxKind.BarBarToken];

function isOurs(file: string): boolean {
  return relative('.', file).startsWith('src/') && !file.endsWith('.gen.ts');
}
