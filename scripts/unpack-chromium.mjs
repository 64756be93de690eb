// Unpacks @sparticuz/chromium once per version and returns the folder that holds it.
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PARTS = ['chromium.br', 'swiftshader.tar.br', 'al2023.tar.br', 'fonts.tar.br'];

// The one in the package points at fixed folders of AWS Lambda.
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="relative">cache</cachedir>
</fontconfig>
`;

/** A folder that survives between runs: inside node_modules where that is writable. */
function cacheFolder(root) {
  const local = join(root, 'node_modules', '.cache', 'webgpu-rnn');
  try {
    mkdirSync(local, { recursive: true });
    accessSync(local, constants.W_OK);
    return local;
  } catch {
    const shared = join(tmpdir(), `webgpu-rnn-${userInfo().uid}`);
    mkdirSync(shared, { recursive: true, mode: 0o700 });
    return shared;
  }
}

export async function unpackChromium(root) {
  const entry = fileURLToPath(import.meta.resolve('@sparticuz/chromium'));
  const home = dirname(dirname(entry));
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const cache = cacheFolder(root);
  const target = join(cache, `chromium-${version}`);
  if (existsSync(target)) return target;

  console.error(`with-gpu: unpacking Chromium and SwiftShader (once, 5 to 20 s) …`);
  // Two launchers may start at once: each unpacks aside, and a rename, which is atomic, decides.
  const aside = mkdtempSync(join(cache, 'partial-'));
  const temporary = process.env.TMPDIR;
  try {
    process.env.TMPDIR = aside; // inflate() takes no other parameter for the folder
    const { inflate } = await import('@sparticuz/chromium');
    await Promise.all(PARTS.map((part) => inflate(join(home, 'bin', part))));
    writeFileSync(join(aside, 'fonts', 'fonts.conf'), FONTS);
    renameSync(aside, target);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  } finally {
    if (temporary === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = temporary;
  }
  return target;
}
