// How every test starts Chromium: Vitest's browser project, and tests that drive a page with Playwright themselves.
import type { LaunchOptions } from 'playwright';

// `npm test` brings a Chromium; without it Playwright's own is used, where that is installed.
const executablePath = process.env['WEBGPU_RNN_CHROMIUM'];

/** For Playwright's `chromium.launch()`. WebGPU is on, over SwiftShader unless the system's adapter was asked for. */
export const chromiumOptions: LaunchOptions = {
  ...(executablePath && { executablePath }),
  args: [
    '--no-sandbox', // containers seldom allow the sandbox, and only our own pages are opened
    '--enable-unsafe-webgpu',
    ...(process.env['WEBGPU_RNN_ADAPTER'] === 'system'
      ? ['--enable-features=Vulkan']
      : [
          '--use-webgpu-adapter=swiftshader',
          // Without a Vulkan compositor the GPU process ends when a page draws on a canvas by WebGPU.
          '--enable-features=Vulkan',
          '--use-vulkan=swiftshader',
          '--use-angle=swiftshader',
        ]),
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-quic',
  ],
};
