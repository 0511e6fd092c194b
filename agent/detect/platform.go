package detect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// hypervisors maps the signature that cpuid leaf 40000000h returns.
var hypervisors = map[string]string{
	"KVMKVMKVM": "kvm", "Linux KVM Hv": "kvm", "Microsoft Hv": "hyperv", "VMwareVMware": "vmware",
	"XenVMMXenVMM": "xen", "TCGTCGTCGTCG": "qemu", "VBoxVBoxVBox": "virtualbox", "bhyve bhyve": "bhyve",
	"prl hyperv": "parallels", "lrpepyh vr": "parallels", "ACRNACRNACRN": "acrn", "QNXQVMBSQG": "qnx",
}

// dmi is one maker of machines, as /sys/class/dmi/id shows it. The first row whose vendor
// equals and whose product begins the machine's applies.
type dmi struct {
	vendor, product   string
	hypervisor, cloud string
}

var dmiRows = []dmi{
	{vendor: "Amazon EC2", hypervisor: "kvm", cloud: "aws"}, // Nitro; *.metal is handled below
	{vendor: "Google", product: "Google Compute Engine", hypervisor: "kvm", cloud: "gcp"},
	{vendor: "Microsoft Corporation", product: "Virtual Machine", hypervisor: "hyperv"},
	{vendor: "Alibaba Cloud", hypervisor: "kvm", cloud: "alibaba"},
	{vendor: "Tencent Cloud", hypervisor: "kvm", cloud: "tencent"},
	{vendor: "DigitalOcean", hypervisor: "kvm", cloud: "digitalocean"},
	{vendor: "Hetzner", product: "vServer", hypervisor: "kvm", cloud: "hetzner"},
	{vendor: "Scaleway", hypervisor: "kvm", cloud: "scaleway"},
	{vendor: "QEMU", hypervisor: "kvm"},
	{vendor: "Red Hat", product: "KVM", hypervisor: "kvm"},
	{vendor: "Xen", hypervisor: "xen"},
	{vendor: "VMware, Inc.", hypervisor: "vmware"},
	{vendor: "innotek GmbH", hypervisor: "virtualbox"},
	{vendor: "Parallels Software International Inc.", hypervisor: "parallels"},
}

// Chassis asset tags that two clouds set to a constant (cloud-init tells them by the
// same); elsewhere the tag is the owner's business, and a dump leaves it out.
var cloudAssetTags = map[string]string{
	"7783-7084-3265-9085-8269-3286-77": "azure",
	"OracleCloud.com":                  "oracle",
}

const (
	dmiVendor   = "sys/class/dmi/id/sys_vendor"
	dmiProduct  = "sys/class/dmi/id/product_name"
	dmiAssetTag = "sys/class/dmi/id/chassis_asset_tag"
)

// platform fills in hypervisor, cloud and instance type, without asking any network.
func (s *Source) platform(h *Host) {
	vendor, _ := s.text(dmiVendor)
	product, _ := s.text(dmiProduct)
	tag, _ := s.text(dmiAssetTag)

	row := slices.IndexFunc(dmiRows, func(d dmi) bool {
		return d.vendor == vendor && strings.HasPrefix(product, d.product)
	})
	var hypervisor string
	if row >= 0 {
		hypervisor = dmiRows[row].hypervisor
		h.Cloud = known(dmiRows[row].cloud)
	}
	if cloud, ok := cloudAssetTags[tag]; ok {
		h.Cloud = &cloud
	}
	if vendor == "Amazon EC2" {
		h.InstanceType = known(product)
		if strings.Contains(product, ".metal") {
			hypervisor = ""
		}
	}
	if xen, _ := s.text("sys/hypervisor/type"); xen == "xen" {
		hypervisor = "xen"
	}
	if s.record.CPUID.has("HYPERVISOR") {
		signature := strings.TrimRight(s.record.CPUID.Hypervisor, " \x00")
		if name, ok := hypervisors[signature]; ok {
			hypervisor = name
		} else if hypervisor == "" {
			hypervisor = "other"
		}
	}
	h.Hypervisor = known(hypervisor)
}

// containerMarks are the beginnings of the cgroup names that container managers give.
var containerMarks = []struct{ prefix, container string }{
	{"kubepods", "kubernetes"},
	{"libpod-", "podman"},
	{"libpod_", "podman"},
	{"docker-", "docker"},
	{"lxc.payload", "lxc"},
	{"machine-lxc", "lxc"},
	{"cri-containerd-", "kubernetes"},
	{"crio-", "kubernetes"},
}

// containerDirs are whole cgroup names that mean the same, as the parent of the container.
var containerDirs = map[string]string{"docker": "docker", "lxc": "lxc", "lxc.payload": "lxc"}

// container names what this process is contained in, "" if nothing says so. Kubernetes
// comes first: its containers carry the marks of the runtime below as well.
func (s *Source) container() string {
	if slices.Contains(s.record.Env, "KUBERNETES_SERVICE_HOST") || s.exists("run/secrets/kubernetes.io/serviceaccount") {
		return "kubernetes"
	}
	cgroup, _ := s.read("proc/self/cgroup")
	fromCgroup := ""
	for _, line := range parseCgroups(string(cgroup)) {
		for name := range strings.SplitSeq(line.path, "/") {
			c := containerOf(name)
			if c == "kubernetes" {
				return c
			}
			if fromCgroup == "" {
				fromCgroup = c
			}
		}
	}
	if s.exists("run/.containerenv") {
		return "podman"
	}
	if s.exists(".dockerenv") {
		return "docker"
	}
	// systemd's container interface: the manager writes its own name.
	for _, file := range []string{"run/host/container-manager", "run/systemd/container"} {
		if name, ok := s.text(file); ok && managerName.MatchString(name) {
			return name
		}
	}
	if s.exists(".singularity.d") {
		return "apptainer"
	}
	return fromCgroup
}

var managerName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,31}$`)

// containerOf tells the container manager by the name of one cgroup, "" if none.
func containerOf(name string) string {
	if c, ok := containerDirs[name]; ok {
		return c
	}
	for _, m := range containerMarks {
		if strings.HasPrefix(name, m.prefix) {
			return m.container
		}
	}
	return ""
}

// hostID derives a stable id from the machine id, which itself must not leave the machine
// (machine-id(5)): HMAC-SHA256 keyed by it over a name of ours, 128 bits in hex. Without a
// machine id (some container images) the host name must do.
func (s *Source) hostID(name string) string {
	key := "name:" + name
	for _, file := range machineIDFiles {
		if id, ok := s.text(file); ok && machineID.MatchString(id) {
			key = id
			break
		}
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("realflops host id"))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

var (
	machineIDFiles = []string{"etc/machine-id", "var/lib/dbus/machine-id"}
	machineID      = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// osName is the system's name for people, from os-release(5).
func (s *Source) osName() string {
	for _, file := range []string{"etc/os-release", "usr/lib/os-release"} {
		text, _ := s.read(file)
		for _, key := range []string{"PRETTY_NAME", "NAME"} {
			if name, _ := keyValue(string(text), key, "="); name != "" {
				return name
			}
		}
	}
	return ""
}

// known turns "" into nil, which is how unknown is written.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
