// Which cells of the app the layers of a saved model have. The file says what of them is data; nothing of it is run.
import { declarationOf, differenceOf, type Cell, type CellDeclaration } from '../cells/index.ts';
import { RnnError } from '../errors.ts';

const invalid = (path: string, what: string): RnnError =>
  new RnnError('INVALID_ARGUMENT', path, what);

/** @throws RnnError `INVALID_ARGUMENT` for what is no list of cells, with the path of what is none */
function checkCells(cells: readonly Cell[]): void {
  if (!Array.isArray(cells)) {
    throw invalid('options.cells', `got ${typeof cells}, expected a list of cells of defineCell`);
  }
  cells.forEach((cell: Partial<Cell> | null, i) => {
    const isCell = typeof cell?.step === 'function' && typeof cell.phases === 'function';
    if (isCell) return;
    throw invalid(`options.cells[${i}]`, `got ${typeof cell}, expected a cell of defineCell`);
  });
}

/** The cells that an app has given, by what files say of them. */
export class SavedCells {
  readonly #cells: readonly Cell[];
  readonly #declarations = new Map<Cell, CellDeclaration>();

  /** @throws RnnError `INVALID_ARGUMENT` for what is no list of cells */
  constructor(cells: readonly Cell[] = []) {
    checkCells(cells);
    this.#cells = cells;
  }

  /**
   * The cell of a declaration.
   *
   * @param name what the declaration, which may be anything, says of its name
   * @throws RnnError `INVALID_ARGUMENT` where it is missing, and with the path of the difference where the app has
   *   another one of this name
   */
  find(name: string, declaration: unknown): Cell {
    let difference: string | undefined;
    for (const [i, cell] of this.#cells.entries()) {
      if (cell.name !== name) continue;
      const found = differenceOf(declaration, this.#declarationOf(cell), `options.cells[${i}]`);
      if (found === undefined) return cell;
      difference ??= found;
    }
    if (difference !== undefined) {
      throw invalid(difference, `differs from the cell '${name}' that the model was saved with`);
    }
    const given = this.#cells.map((cell) => `'${cell.name}'`).join(', ') || 'none';
    const what = `the cell '${name}' of the model is code of an app, expected it among these, got ${given}`;
    throw invalid('options.cells', what);
  }

  #declarationOf(cell: Cell): CellDeclaration {
    let declaration = this.#declarations.get(cell);
    if (!declaration) this.#declarations.set(cell, (declaration = declarationOf(cell)));
    return declaration;
  }
}
