package estimate

import (
	"fmt"
	"math"

	"github.com/realflops/realflops/calibrate/model"
)

// Memory is what a task keeps, in bytes.
type Memory struct {
	Weights     Figure `json:"weights"`
	Gradients   Figure `json:"gradients"`
	Optimizer   Figure `json:"optimizer"`
	Activations Figure `json:"activations"`
	KVCache     Figure `json:"kv_cache"`
	Workspace   Figure `json:"workspace"`
	Total       Figure `json:"total"`
}

// memory counts what task t of a model keeps for a resolved setup.
func memory(m *model.Model, s Setup, t task, counts model.Setup, ops []model.Op) Memory {
	var gradients, optimizer, activations, cache, workspace float64
	const none = "none in this task"
	kept := none
	if t.name == Train {
		gradients, optimizer = m.StateBytes(s.Precision)
		a := m.Activations(counts)
		activations, kept = a.Value, a.Convention
	}
	cached := none
	if t.name == Prefill && m.Architecture.Causal || t.name == Decode {
		cache = m.KVCacheBytes(counts)
		cached = fmt.Sprintf("keys and values of every layer and KV head as %s", s.Precision)
	}
	for _, o := range ops {
		if o.Kind == model.Attention && t.name == Decode {
			continue // its operand is the cache
		}
		workspace = max(workspace, o.Activations)
	}
	weights := m.Info(s.Precision).Bytes
	return Memory{
		Weights:     counted(weights, fmt.Sprintf("every parameter once as %s", s.Precision)),
		Gradients:   counted(gradients, ifAny(gradients, "fp32, kept until the update", none)),
		Optimizer:   counted(optimizer, ifAny(optimizer, "AdamW: two fp32 moments, and a master copy where weights are fp16", none)),
		Activations: counted(activations, kept),
		KVCache:     counted(cache, cached),
		Workspace:   counted(workspace, "operands of the operation with the largest; packing buffers are not in"),
		Total: counted(weights+gradients+optimizer+activations+cache+workspace,
			"sum of the parts; the allocator's and the framework's own are not in"),
	}
}

func ifAny(x float64, some, none string) string {
	if x > 0 {
		return some
	}
	return none
}

// streamed is what lies between two uses of one weight: the size whose bandwidth
// prices a pass over the weights.
func (m Memory) streamed() float64 {
	return m.Weights.Value + m.KVCache.Value + m.Activations.Value
}

// fits warns where the total is more than the machine has, with the batch that fits:
// activations, cache and workspace grow with the batch, the rest does not.
func (e *Document) fits(s Setup, warn *warnings) {
	m := e.MemoryBytes
	over := m.Total.Value - s.MemoryBytes
	if s.MemoryBytes == 0 || over <= 0 {
		return
	}
	fixed := m.Weights.Value + m.Gradients.Value + m.Optimizer.Value
	batch := math.Floor((s.MemoryBytes - fixed) / ((m.Total.Value - fixed) / float64(s.Batch)))
	fit := fmt.Sprintf("batch %.0f would fit", batch)
	switch {
	case fixed >= s.MemoryBytes:
		fit = fmt.Sprintf("%s of it do not depend on the batch, so no batch fits", gigabytes(fixed))
	case batch < 1:
		fit = "not even batch 1 fits; a shorter sequence or context takes less"
	}
	warn.add("does_not_fit", "the task takes %s, which is %s more than the %s that may be used: %s",
		gigabytes(m.Total.Value), gigabytes(over), gigabytes(s.MemoryBytes), fit)
}

func gigabytes(x float64) string {
	if x < 1e9 {
		return fmt.Sprintf("%.3g MB", x/1e6)
	}
	return fmt.Sprintf("%.4g GB", x/1e9)
}
