package detect

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/u-root/u-root/pkg/pci"
)

const (
	pciRoot      = "sys/bus/pci/devices/"
	nvidiaProc   = "proc/driver/nvidia/"
	nvidiaVendor = 0x10de
	displayClass = 0x03 // VGA and 3D controllers; an NVIDIA card's audio function is 04
)

// NoDriver is what GPU.Driver says where no kernel driver is bound to the device.
const NoDriver = "no driver"

var (
	pciAddress    = regexp.MustCompile(`^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$`)
	nvidiaVersion = regexp.MustCompile(`\s(\d+\.\d+(?:\.\d+)?)\s`)
	gpuUUID       = regexp.MustCompile(`^GPU-[0-9a-f-]{36}$`) // before its first use the driver shows question marks
)

// gpus lists the NVIDIA GPUs on the PCI bus, whether or not a driver is loaded.
func (s *Source) gpus() []Device {
	var gpus []Device
	for _, address := range s.list(pciRoot) {
		dir := pciRoot + address + "/"
		vendor, _ := s.number(dir + "vendor")
		if vendor != nvidiaVendor || !pciAddress.MatchString(address) {
			continue
		}
		class, _ := s.number(dir + "class")
		device, ok := s.number(dir + "device")
		if class>>16 != displayClass || !ok || device < 0 || device > 0xffff {
			continue
		}
		g := &GPU{PCI: address, Vendor: fmt.Sprintf("%04x", vendor), Device: fmt.Sprintf("%04x", device), Driver: s.gpuDriver(dir)}
		if node, ok := s.number(dir + "numa_node"); ok && node >= 0 { // -1: no node
			n := int(node)
			g.NUMA = &n
		}
		d := Device{ID: "pci-" + address, Kind: "gpu", Model: gpuModel(uint16(device)), GPU: g}
		information, _ := s.read(nvidiaProc + "gpus/" + address + "/information")
		if uuid, _ := keyValue(string(information), "GPU UUID", ":"); gpuUUID.MatchString(uuid) {
			d.ID = uuid
		}
		if model, _ := keyValue(string(information), "Model", ":"); model != "" && model != "Unknown" {
			d.Model = model
		}
		gpus = append(gpus, d)
	}
	return gpus
}

// gpuDriver names the bound driver, and its version if it is NVIDIA's. It is taken from
// uevent rather than from the driver link: a dump holds plain files only.
func (s *Source) gpuDriver(dir string) string {
	uevent, _ := s.read(dir + "uevent")
	driver, ok := keyValue(string(uevent), "DRIVER", "=")
	if !ok || driver == "" {
		return NoDriver
	}
	if driver == "nvidia" {
		version, _ := s.read(nvidiaProc + "version")
		if m := nvidiaVersion.FindStringSubmatch(string(version)); m != nil {
			return "nvidia " + m[1]
		}
	}
	return driver
}

// gpuModel is the name in the PCI id list: "GA100 [A100 PCIe 80GB]" is "NVIDIA A100 PCIe
// 80GB", as the driver would say.
func gpuModel(device uint16) string {
	_, name := pci.Lookup(pci.IDs, nvidiaVendor, device)
	if name == fmt.Sprintf("%04x", device) {
		return fmt.Sprintf("NVIDIA GPU %04x:%04x", nvidiaVendor, device)
	}
	if _, inner, ok := strings.Cut(name, "["); ok {
		name = strings.TrimSuffix(inner, "]")
	}
	return "NVIDIA " + name
}
