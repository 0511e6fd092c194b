package detect

import "testing"

func TestGPUWithItsDriver(t *testing.T) {
	const uuid = "GPU-5f4c2a10-0b1e-4c3d-9e8f-0123456789ab"
	pciDir := pciRoot + "0000:3b:00.0/"
	files := map[string]string{
		recordFile: record, pciDir + "vendor": "0x10de\n", pciDir + "device": "0x2330\n", pciDir + "class": "0x030200\n",
		pciDir + "numa_node": "1\n", pciDir + "uevent": "DRIVER=nvidia\nPCI_ID=10DE:2330\n",
		nvidiaProc + "version":                       "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build  (builder@host)\nGCC version: 12.2.0\n",
		nvidiaProc + "gpus/0000:3b:00.0/information": "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 213\nGPU UUID: \t " + uuid + "\nDevice Minor: \t 0\n",
	}
	src := openFiles(t, files)
	d := detect(t, src).Devices[1]
	want(t, "id", d.ID, uuid)
	want(t, "model", d.Model, "NVIDIA H100 80GB HBM3")
	want(t, "driver", d.GPU.Driver, "nvidia 560.35.03")
	want(t, "node", *d.GPU.NUMA, 1)

	// Before the first use the driver does not know the UUID.
	files[nvidiaProc+"gpus/0000:3b:00.0/information"] = "Model: \t\t Unknown\nGPU UUID: \t GPU-????????-????-????-????-????????????\n"
	d = detect(t, openFiles(t, files)).Devices[1]
	want(t, "id without UUID", d.ID, "pci-0000:3b:00.0")
	want(t, "model by its PCI id", d.Model, "NVIDIA H100 SXM5 80GB")
}

func TestGPUNames(t *testing.T) {
	for id, name := range map[uint16]string{
		0x20b5: "NVIDIA A100 PCIe 80GB", 0x2330: "NVIDIA H100 SXM5 80GB", 0xfffe: "NVIDIA GPU 10de:fffe",
	} {
		want(t, "name", gpuModel(id), name)
	}
}
