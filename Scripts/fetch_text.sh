#!/usr/bin/env bash
# Fetches real text and code from Debian packages, for corpora and prompts:
#   Scripts/fetch_text.sh [FOLDER]
# FOLDER (${NUNCHI_CACHE:-~/.cache/nunchi}/text) gets help/ko, help/de … (LibreOffice's help pages,
# the same ones in nine languages), gimp/ko and debian-faq/ko, and code/python, code/go, …
# What is there is left alone. Nothing is installed, so root is not needed.
set -euo pipefail

folder=${1:-${NUNCHI_CACHE:-$HOME/.cache/nunchi}/text}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d "$folder/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=()
updated=

say() { echo "fetch_text: $*" >&2; }

for tool in apt-get dpkg-deb; do
  if ! command -v "$tool" >/dev/null; then
    say "$tool is missing: this script fetches Debian packages and needs a Debian system"
    exit 1
  fi
done

# download PACKAGE…: unpacks packages into $work/root. The package lists are brought up to date
# once, when a package is not found.
download() {
  local package
  rm -rf "$work/root" "$work"/*.deb
  mkdir -p "$work/root"
  for package in "$@"; do
    if ! (cd "$work" && apt-get download -qq "$package" 2>"$work/log"); then
      if [[ -z $updated ]]; then
        updated=yes
        if [[ $(id -u) -eq 0 ]]; then apt-get update -qq || true; fi
      fi
      if ! (cd "$work" && apt-get download -qq "$package" 2>"$work/log"); then
        say "$package cannot be fetched: $(grep -m 1 '^E:' "$work/log" || tail -n 1 "$work/log")"
        if [[ $(id -u) -ne 0 ]]; then say "the package lists may be old: sudo apt-get update"; fi
        return 1
      fi
    fi
  done
  for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/root"; done
}

# fetch DESTINATION LICENCE SOURCE PACKAGE…: SOURCE is the folder in the packages that is kept.
# It gets its name at the end, so that a folder that is there is whole.
fetch() {
  local destination=$1 licence=$2 source=$3
  shift 3
  if [[ ! -d $folder/$destination ]]; then
    say "fetching $destination ($*)"
    if ! download "$@"; then
      failed+=("$destination")
      return 0
    fi
    if [[ ! -d $work/root/$source ]]; then
      say "$*: expected the folder /$source, found none"
      failed+=("$destination")
      return 0
    fi
    find "$work/root/$source" -type l -delete
    if [[ $destination == code/* ]]; then
      find "$work/root/$source" -type f -not -name '*.py' -not -name '*.go' -not -name '*.js' \
        -not -name '*.[ch]' -delete
    else
      find "$work/root/$source" -type f -not -name '*.html' -delete
    fi
    # Tests and other people's packages say little and repeat much.
    find "$work/root/$source" -depth \( -name '*_test.go' -o -name 'testdata' -o -name 'vendor' \
      -o -name 'node_modules' -o -name 'test' -o -name 'tests' \) -exec rm -rf {} +
    mkdir -p "$(dirname "$folder/$destination")"
    mv "$work/root/$source" "$folder/$destination"
  fi
  printf '%-16s %6d files  %6s  %s\n' "$destination" \
    "$(find "$folder/$destination" -type f | wc -l)" \
    "$(du -sh "$folder/$destination" | cut -f 1)" "$licence"
}

for language in en-us:en-US ko:ko ja:ja zh-cn:zh-CN de:de fr:fr es:es ru:ru vi:vi; do
  code=${language#*:}
  fetch "help/$code" MPL-2.0 "usr/share/libreoffice/help/$code" \
    "libreoffice-help-${language%:*}"
done
fetch gimp/ko GFDL-NIV-1.2+ usr/share/gimp/2.0/help/ko gimp-help-ko
fetch debian-faq/ko "its own notice (copyleft)" usr/share/doc/debian/FAQ/ko debian-faq-ko

# The names of these have the release's version in them.
python=$(apt-cache depends libpython3-stdlib 2>/dev/null |
  sed -n 's/.*Depends: \(libpython3\.[0-9]*\)-stdlib.*/\1/p' | head -n 1)
python=${python:-libpython3.11}
fetch code/python PSF-2.0 "usr/lib/${python#lib}" "$python-stdlib" "$python-minimal"
go=$(apt-cache depends golang-src 2>/dev/null |
  sed -n 's/.*Depends: golang-\([0-9.]*\)-src.*/\1/p' | head -n 1)
go=${go:-1.19}
fetch code/go BSD-3-Clause "usr/share/go-$go/src" "golang-$go-src"
fetch code/javascript Artistic-2.0 usr/share/nodejs/npm npm
fetch code/c "public domain or MIT" usr/include/stb libstb-dev

if ((${#failed[@]})); then
  say "not fetched: ${failed[*]}"
  exit 1
fi
echo "in $folder; the licences are the packages', and none of it belongs into the repository"
