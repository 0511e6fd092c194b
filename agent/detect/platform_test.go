package detect

import (
	"strings"
	"testing"
)

func TestContainers(t *testing.T) {
	env := strings.Replace(record, "{}}", `{}, "env": ["KUBERNETES_SERVICE_HOST"]}`, 1)
	for name, c := range map[string]struct {
		file, content, record, want string
	}{
		"docker file":        {file: ".dockerenv", want: "docker"},
		"podman file":        {file: "run/.containerenv", content: "engine=podman", want: "podman"},
		"service account":    {file: "run/secrets/kubernetes.io/serviceaccount/", want: "kubernetes"},
		"variable":           {record: env, file: ".dockerenv", want: "kubernetes"},
		"nspawn":             {file: "run/host/container-manager", content: "systemd-nspawn\n", want: "systemd-nspawn"},
		"lxc by systemd":     {file: "run/systemd/container", content: "lxc\n", want: "lxc"},
		"not a name":         {file: "run/systemd/container", content: "<b>\n", want: ""},
		"apptainer":          {file: ".singularity.d/", want: "apptainer"},
		"docker v1":          {file: "proc/self/cgroup", content: "4:memory:/docker/0123abcd\n", want: "docker"},
		"kubernetes v1":      {file: "proc/self/cgroup", content: "4:memory:/kubepods/burstable/pod1/2\n", want: "kubernetes"},
		"podman v2":          {file: "proc/self/cgroup", content: "0::/machine.slice/libpod-1.scope\n", want: "podman"},
		"lxc v2":             {file: "proc/self/cgroup", content: "0::/lxc.payload.web\n", want: "lxc"},
		"host of containers": {file: "proc/self/cgroup", content: "0::/system.slice/docker.service\n", want: ""},
		"login":              {file: "proc/self/cgroup", content: "0::/user.slice/user-1000.slice/session-3.scope\n", want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{recordFile: record, c.file: c.content}
			if c.record != "" {
				files[recordFile] = c.record
			}
			got := detect(t, openFiles(t, files)).Container
			want(t, "container", got, known(c.want))
		})
	}
}

func TestPlatforms(t *testing.T) {
	hv := func(signature string) string {
		return strings.Replace(record, `"cpuid": {}`, `"cpuid": {"features": ["HYPERVISOR"], "hypervisor": "`+signature+`"}`, 1)
	}
	for name, c := range map[string]struct {
		record, vendor, product, tag    string
		hypervisor, cloud, instanceType string
	}{
		"EC2":               {vendor: "Amazon EC2", product: "c7i.4xlarge", hypervisor: "kvm", cloud: "aws", instanceType: "c7i.4xlarge"},
		"EC2 bare metal":    {vendor: "Amazon EC2", product: "c7i.metal-24xl", cloud: "aws", instanceType: "c7i.metal-24xl"},
		"Google":            {vendor: "Google", product: "Google Compute Engine", hypervisor: "kvm", cloud: "gcp"},
		"Chromebook":        {vendor: "Google", product: "Eve"},
		"Azure":             {vendor: "Microsoft Corporation", product: "Virtual Machine", tag: "7783-7084-3265-9085-8269-3286-77", hypervisor: "hyperv", cloud: "azure"},
		"Hyper-V at home":   {vendor: "Microsoft Corporation", product: "Virtual Machine", tag: "asset 7", hypervisor: "hyperv"},
		"Surface":           {vendor: "Microsoft Corporation", product: "Surface Pro"},
		"server":            {vendor: "Dell Inc.", product: "PowerEdge R760"},
		"KVM by cpuid":      {record: hv(`KVMKVMKVM\u0000\u0000\u0000`), hypervisor: "kvm"},
		"cpuid before DMI":  {record: hv("XenVMMXenVMM"), vendor: "QEMU", hypervisor: "xen"},
		"unknown signature": {record: hv("SomethingNew"), hypervisor: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{recordFile: record, dmiVendor: c.vendor + "\n", dmiProduct: c.product + "\n", dmiAssetTag: c.tag + "\n"}
			if c.record != "" {
				files[recordFile] = c.record
			}
			h := detect(t, openFiles(t, files))
			want(t, "hypervisor", h.Hypervisor, known(c.hypervisor))
			want(t, "cloud", h.Cloud, known(c.cloud))
			want(t, "instance type", h.InstanceType, known(c.instanceType))
		})
	}
}

// TestHostIDIsStableAndNotTheMachineID: the machine id must not leave the machine.
func TestHostIDIsStableAndNotTheMachineID(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	with := func(files map[string]string) string {
		files[recordFile] = record
		return detect(t, openFiles(t, files)).ID
	}
	a := with(map[string]string{"etc/machine-id": id + "\n", "proc/sys/kernel/hostname": "one\n"})
	want(t, "id is HMAC-SHA256(machine id, \"realflops host id\")", a, "6d8c305075cbaaf6702b4a77c514bf61")
	if strings.Contains(a, id[:8]) {
		t.Error("the machine id shows in the host id")
	}
	want(t, "id under another host name", with(map[string]string{"etc/machine-id": id, "proc/sys/kernel/hostname": "two"}), a)
	want(t, "id kept by D-Bus", with(map[string]string{"var/lib/dbus/machine-id": id}), a)
	one, two := with(map[string]string{"proc/sys/kernel/hostname": "one", "etc/machine-id": "uninitialized\n"}), with(map[string]string{"proc/sys/kernel/hostname": "two"})
	if one == two || one == a {
		t.Error("without a machine id, hosts of different names share an id")
	}
}
