#!/bin/sh
# Measures this machine's GPU: recurrent layers on WebGPU, ONNX Runtime and cuDNN. Needs Linux on
# x86-64, a GPU driver with Vulkan, and for cuDNN a python3 with PyTorch; neither Node nor the internet.
#
#   sh run.sh                      everything: some minutes
#   sh run.sh --shape lstm-h128-b1-t64 --seconds 0.3
#   OUT=folder PYTHON=python sh run.sh
#
# Options are those of main.ts. One JSON goes to $OUT, bench/results/ by default.
set -u
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
out=${OUT:-bench/results}
work=$(mktemp -d "${TMPDIR:-/tmp}/webgpu-rnn-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "unpacking …"
tar -xJf "$here/machine.tar.xz" -C "$work" 2>/dev/null ||
  "$python" -c 'import sys, tarfile; tarfile.open(sys.argv[1], "r:xz").extractall(sys.argv[2])' \
    "$here/machine.tar.xz" "$work" || { echo "neither xz nor python3 can unpack"; exit 1; }
cp "$here/main.mjs" "$here/package.json" "$work/"

# The system's libraries come first; the Vulkan loader that is packed serves where there is none.
for folder in /usr/lib/x86_64-linux-gnu /lib/x86_64-linux-gnu /usr/lib64 /lib64 \
  /usr/local/nvidia/lib64 "$work/lib"; do
  [ -d "$folder" ] && LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder"
done
export LD_LIBRARY_PATH

# Containers often have NVIDIA's driver but not the file that names it to the loader.
if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] &&
  ! ls /usr/share/vulkan/icd.d/nvidia* /etc/vulkan/icd.d/nvidia* >/dev/null 2>&1 &&
  { [ -e /dev/nvidiactl ] || [ -e /dev/dxg ]; }; then
  VK_DRIVER_FILES=$(find /usr/local/nvidia /opt /usr/local/share /usr/local/lib -name 'nvidia_icd*.json' 2>/dev/null | head -n 1)
  if [ -z "$VK_DRIVER_FILES" ]; then
    VK_DRIVER_FILES=$work/nvidia_icd.json
    echo '{"file_format_version":"1.0.0","ICD":{"library_path":"libGLX_nvidia.so.0","api_version":"1.3.0"}}' >"$VK_DRIVER_FILES"
  fi
  VK_ICD_FILENAMES=$VK_DRIVER_FILES # its name for older loaders
  export VK_DRIVER_FILES VK_ICD_FILENAMES
  echo "Vulkan driver: $VK_DRIVER_FILES"
fi

mkdir -p "$out" || exit 1
json=$(cd "$out" && pwd)/gpu-$(date +%Y-%m-%d-%H%M%S).json
"$work/node" "$work/main.mjs" --json "$json" "$@"
code=$?
"$python" "$here/cudnn.py" "$json" || echo "cuDNN: not measured"
echo "written to $json"
exit $code
