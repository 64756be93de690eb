// Files that are damaged, hostile or no model that can be read: each ends with an RnnError that says
// where.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RnnError } from '../../src/errors.ts';
import { importKeras } from '../../src/import/keras/index.ts';
import { loadModel } from '../../src/node.ts';
import { SEED } from '../support/settings.ts';
import { archive, BROKEN, good, legacy, NAMED } from './keras-broken-files.ts';
import { writeH5 } from './keras-writer.ts';

/** What a file ends with. */
async function errorOf(bytes: Uint8Array): Promise<unknown> {
  try {
    await importKeras(bytes);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('broken files', () => {
  it('a file like those below, but whole, is read', async () => {
    expect(await errorOf(await good())).toBeUndefined();
    expect(await errorOf(await archive({}))).toBeUndefined();
    expect(await errorOf(await writeH5(legacy(NAMED)))).toBeUndefined();
    expect(await errorOf(await writeH5(legacy(NAMED), 'latest'))).toBeUndefined();
  });

  it.each(BROKEN)('$what', async ({ bytes, code, path, says }) => {
    const error = await errorOf(await bytes());
    expect(error).toBeInstanceOf(RnnError);
    const { code: got, path: where, message } = error as RnnError;
    expect({ code: got, path: where }, message).toEqual({ code, path });
    expect(message).toMatch(says);
  });

  it.each(['earliest', 'latest'] as const)(
    'groups within one another, in the %s layout of HDF5',
    async (libver) => {
      const tree = legacy(NAMED);
      for (const target of ['/', '/model_weights', '/model_weights/lstm']) {
        const { model_weights: weights } = tree.groups!;
        const looped = { ...weights!, links: { loop: target, again: target } };
        const bytes = await writeH5({ ...tree, groups: { model_weights: looped } }, libver);
        const error = await errorOf(bytes);
        expect(error).toBeInstanceOf(RnnError);
        expect(error).toMatchObject({ code: 'INVALID_MODEL' });
        expect((error as RnnError).path).toMatch(/^model:model_weights\/(loop|again|lstm)$/);
        expect((error as RnnError).message).toMatch(/stands elsewhere in the file/);
      }
    },
  );

  it('the public API names the file', async () => {
    const bytes = await archive({ 'config.json': { bytes: '' } });
    const error: unknown = await loadModel(
      { 'digits.keras': bytes },
      { device: 'reference' },
    ).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'INVALID_MODEL', path: 'digits.keras:config.json' });
  });

  it.each(['.keras', 'earliest', 'latest'] as const)(
    'whatever is changed in a file (%s), it is read or refused',
    async (kind) => {
      const whole = kind === '.keras' ? await good() : await writeH5(legacy(NAMED), kind);
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
          fc.option(fc.nat(whole.length), { freq: 5 }),
          async (changes, end) => {
            const bytes = whole.slice(0, end ?? whole.length);
            for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
            const error = await errorOf(bytes);
            if (error !== undefined) {
              expect(error).toBeInstanceOf(RnnError);
              refused++;
            }
          },
        ),
        { numRuns: 400, seed: SEED },
      );
      expect(refused).toBeGreaterThan(20);
    },
  );
});
