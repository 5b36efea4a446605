#!/usr/bin/env bash
# Installs the programs that tests/clients drives, in these versions, into a directory of their own.
# Usage: tests/clients/install.sh [DIRECTORY]     by default $RUNBOOKD_TEST_CLIENTS_DIR, else .clients in the project
# Needs node, npm and Python 3.11 or 3.12 ($PYTHON; aider wants nothing newer). Does nothing where all is there already.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
directory=${1:-${RUNBOOKD_TEST_CLIENTS_DIR:-$project/.clients}}

npm_packages=(
    @openai/codex@0.169.0
    @anthropic-ai/claude-code@2.1.197 # the newest one for node 20
    @google/gemini-cli@0.61.0
    opencode-ai@1.18.33
)
# One environment each: they do not agree on what they need.
python_packages=(
    aider=aider-chat==0.86.2
    llm=llm==0.32.1
)

# `once NAME VERSIONS COMMAND…` runs the command only if it was not done with these versions; a half-made one is made anew.
once() {
    local place=$directory/$1 versions=$2
    if [ "$(cat "$place/.installed" 2>/dev/null)" = "$versions" ]; then
        echo "$1: is there"
        return
    fi
    echo "$1: installing $versions into $place"
    rm -rf "$place"
    mkdir -p "$place"
    "${@:3}" "$place"
    echo "$versions" >"$place/.installed"
}

# Scripts of dependencies are not run: they would compile what nobody here needs. Two programs put themselves in place.
with_npm() {
    local place=$1
    npm install --prefix "$place" --ignore-scripts --no-fund --no-audit --no-save --loglevel error "${npm_packages[@]}"
    (cd "$place/node_modules/@anthropic-ai/claude-code" && node install.cjs)
    (cd "$place/node_modules/opencode-ai" && node postinstall.mjs)
}

with_python() {
    local package=$1 place=$2
    if command -v uv >/dev/null; then
        uv venv --quiet --allow-existing --python "${PYTHON:-python3}" "$place"
        uv pip install --quiet --python "$place/bin/python" "$package"
    else
        "${PYTHON:-python3}" -m venv "$place"
        "$place/bin/python" -m pip install --quiet --disable-pip-version-check "$package"
    fi
}

command -v npm >/dev/null || { echo "install.sh needs node and npm" >&2; exit 1; }
once npm "${npm_packages[*]}" with_npm
for one in "${python_packages[@]}"; do
    once "${one%%=*}" "${one#*=}" with_python "${one#*=}"
done
