#!/bin/sh
# bochs.sh FOLDER: install the emulator that runs the AMX and AVX512-FP16 kernels into FOLDER; FOLDER/bochs starts it. It is
# Debian 13's Bochs 3.0, since that of Debian 12 knows neither, with the libraries that it needs beside it: nothing outside
# FOLDER changes, and no root is needed. The packages come from the mirror that this machine's apt is set up with, which
# checks their signature; Bochs's own are pinned by checksum too. The program links a desktop's libraries, of which it calls
# nothing without a desktop: in their place it gets ones whose functions end it.
set -eu
folder=$1
version=3.0+dfsg-1
emulator="6433495e013686deb83866ce49a9aec27a3c801de532358a330cd683b27e3593  bochs_${version}_amd64.deb
dc5235b0a37048c043e0c75735407f5f71a91727f4b5ba231f4532ab66d2dcf7  bochs-term_${version}_amd64.deb"
libraries='libc6 libgcc-s1 libstdc++6 libltdl7 libncurses6 libtinfo6'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/packages"

# mirror [OPTION...]: Debian's main archive, as apt has it; it knows only what it has the lists of.
mirror() { apt-get "$@" indextargets --format '$(SITE)' 'Created-By: Packages' | grep '/debian/*$' | head -n 1; }
site=$(mirror)
if [ -z "$site" ]; then
	mkdir -p "$work/own/partial"
	apt-get -q -o Dir::State::lists="$work/own" -o APT::Sandbox::User=root update
	site=$(mirror -o Dir::State::lists="$work/own")
fi
[ -n "$site" ] || {
	echo "bochs.sh: apt knows no mirror of Debian's main archive (a source whose address ends in /debian)" >&2
	exit 1
}
cat >"$work/debian.sources" <<EOF
Types: deb
URIs: $site
Suites: trixie
Components: main
Architectures: amd64
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
EOF
apt() {
	apt-get -q -o Dir::Etc::sourcelist="$work/debian.sources" -o Dir::Etc::sourceparts=- \
		-o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" \
		-o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
		-o APT::Sandbox::User=root -o APT::Architecture=amd64 "$@"
}
: >"$work/status"
apt update
# shellcheck disable=SC2086 # a list of words
(cd "$work/packages" && apt download bochs=$version bochs-term=$version $libraries && echo "$emulator" | sha256sum --quiet -c)
for package in "$work"/packages/*.deb; do
	dpkg-deb -x "$package" "$work/root"
done

rm -rf "$folder"
mkdir -p "$folder/lib" "$folder/plugins"
from=$work/root/usr/lib/x86_64-linux-gnu
for name in ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libgcc_s.so.1 libstdc++.so.6 libltdl.so.7 libncurses.so.6 libtinfo.so.6; do
	cp -L "$from/$name" "$folder/lib/"
done
for name in biosdev cmos dma extfpuirq floppy gameport harddrv iodebug ioapic keyboard parallel pic pit serial speaker term_gui textconfig unmapped vga; do
	cp -L "$from/bochs/plugins/libbx_$name.so" "$folder/plugins/"
done
cp "$work/root/usr/bin/bochs-bin" "$folder/bochs-bin"
cp "$work/root/usr/share/doc/bochs/copyright" "$folder/copyright"

# functions PATTERN: those of the program's that match, as C.
functions() {
	nm -D --undefined-only "$folder/bochs-bin" | sed -nE "s/.* ($1\\w*)(@.*)?\$/void \\1(void) { __builtin_trap(); }/p"
}
# library NAME [OPTION...]: one of the C on standard input.
library() {
	name=$1
	shift
	gcc -shared -nostdlib -fno-builtin -w -Wl,-soname,"$name" "$@" -o "$folder/lib/$name" -x c -
}
functions '(g_|gtk_|gdk_|pango_|readline|add_history)' | library libgtk-3.so.0
echo 'libsamplerate.so.0.0 { src_*; };' >"$work/versions"
functions src_ | library libsamplerate.so.0 -Wl,--version-script,"$work/versions"
for name in libgdk-3.so.0 libpango-1.0.so.0 libgobject-2.0.so.0 libglib-2.0.so.0 libreadline.so.8; do
	library $name </dev/null
done

cat >"$folder/bochs" <<'EOF'
#!/bin/sh
here=$(dirname "$0")
ulimit -t 120 # no test takes half of this
LTDL_LIBRARY_PATH=$here/plugins exec "$here/lib/ld-linux-x86-64.so.2" --library-path "$here/lib" "$here/bochs-bin" "$@"
EOF
chmod +x "$folder/bochs"
