package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/realflops/realflops/agent/detect"
)

func (a *app) detectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "detect",
		Short: "Show what this machine is: CPUs, caches, memory, limits, GPUs",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			host, err := detectHost(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(host)
			}
			return a.printHost(host)
		},
	}
}

func detectHost(ctx context.Context) (*detect.Host, error) {
	return detect.Detect(ctx, detect.Live())
}

func (a *app) printHost(h *detect.Host) error {
	t := newTable("host", h.Name)
	orNone := func(p *string, none string) string {
		if p == nil {
			return none
		}
		return *p
	}
	t.add("id", h.ID)
	t.add("system", fmt.Sprintf("%s, kernel %s, %s", h.OS, h.Kernel, h.Arch))
	where := nonEmpty(orNone(h.Cloud, ""), orNone(h.Region, ""), orNone(h.InstanceType, ""))
	if len(where) > 0 {
		t.add("cloud", strings.Join(where, " "))
	}
	t.add("hypervisor", orNone(h.Hypervisor, "none seen"))
	t.add("container", orNone(h.Container, "none seen"))
	if h.MemoryBytes != nil {
		t.add("memory", binary(float64(*h.MemoryBytes)))
	}
	limits := plural(len(h.Limits.CPUs), "CPU") + " in the affinity mask"
	if h.Limits.CPUQuota != nil {
		limits += fmt.Sprintf(", quota %.3g CPUs", *h.Limits.CPUQuota)
	}
	if h.Limits.MemoryBytes != nil {
		limits += ", memory limit " + binary(float64(*h.Limits.MemoryBytes))
	}
	t.add("limits", limits)
	for _, d := range h.Devices {
		switch {
		case d.CPU != nil:
			addCPU(t, d)
		case d.GPU != nil:
			t.add("gpu", fmt.Sprintf("%s at %s, %s", d.Model, d.GPU.PCI, d.GPU.Driver))
		}
	}
	return t.write(a.stdout, palette{})
}

func addCPU(t *table, d detect.Device) {
	c := d.CPU
	t.add("cpu", d.Model)
	numbers := []string{c.Vendor}
	for _, n := range []struct {
		name  string
		value *int
	}{{"family", c.Family}, {"model", c.ModelNumber}, {"stepping", c.Stepping}} {
		if n.value != nil {
			numbers = append(numbers, fmt.Sprintf("%s %d", n.name, *n.value))
		}
	}
	t.add("  identity", strings.Join(numbers, ", "))
	smt := "no SMT"
	if c.SMT {
		smt = "SMT"
	}
	t.add("  topology", fmt.Sprintf("%s, %s, %s (%s), %s", plural(c.Packages, "package"), plural(c.Cores, "core"), plural(c.Threads, "thread"), smt, plural(len(c.NUMANodes), "NUMA node")))
	for _, cache := range c.Caches {
		t.add(fmt.Sprintf("  l%d %s", cache.Level, cache.Type), fmt.Sprintf("%d x %s, shared by %s", cache.Instances, binary(float64(cache.Bytes)), plural(cache.SharedBy, "CPU")))
	}
	t.add("  clock", fmt.Sprintf("base %s, now %s, max %s", siOr(c.BaseHz, "Hz"), siOr(c.CurrentHz, "Hz"), siOr(c.MaxHz, "Hz")))
	governor, boost := "unknown", "unknown"
	if c.Governor != nil {
		governor = *c.Governor
	}
	if c.BoostEnabled != nil {
		boost = map[bool]string{true: "on", false: "off"}[*c.BoostEnabled]
	}
	t.add("  governor", governor+", boost "+boost)
	t.add("  instruction sets", strings.Join(c.Features, " "))
}

// nonEmpty keeps the texts that say something.
func nonEmpty(texts ...string) []string {
	var out []string
	for _, t := range texts {
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}
