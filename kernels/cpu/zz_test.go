package cpu
import ("testing";"fmt";"runtime";"slices";"golang.org/x/sys/unix";"github.com/realflops/realflops/kernels")
func cpuNow() float64 { var t unix.Timespec; _ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); return float64(t.Sec)+float64(t.Nsec)*1e-9 }
func med(n int, f func()) float64 { var s []float64; f(); for range n { t:=cpuNow(); f(); s=append(s,cpuNow()-t) }; slices.Sort(s); return s[len(s)/2] }
func TestZZ(t *testing.T) {
	runtime.LockOSThread()
	for _, i := range All() { if i.Kernel==kernels.FMA { n:=5000*768; fmt.Printf("%s %s %.1f GFLOP/s\n", i.Precision,i.Engine, 2*float64(n)/med(31, func(){ i.Func.(FMAFunc)(n) })/1e9) } }
	p := NewPool(1)
	b, _, _ := Alloc[float32](4096*4096)
	for i := range b { b[i]=1 }
	s := float32(0)
	fmt.Printf("copy read+write %.1f GB/s\n", 8*float64(len(b)/2)/med(15, func(){ copy(b[:len(b)/2], b[len(b)/2:]) })/1e9)
	_ = s
	h, _, _ := Alloc[kernels.Float16](4096*4096)
	for i := range h { h[i]=0x3c00 }
	for _, i := range All() { 
		for _, m := range []int{1,2,4,6,8,9,16,32,64} {
		c := make([]float32, m*4096)
		switch g := i.Func.(type) {
		case *GEMM[float32]:
			pl, _ := g.Plan(p, m, 4096, 4096)
			d := med(11, func(){ pl.Run(c, b, b) })
			fmt.Printf("%s %s m=%d %.1f GFLOP/s %.1f GB/s\n", i.Precision, i.Engine, m, 2*float64(m)*4096*4096/d/1e9, 4*4096*4096/d/1e9); pl.Close()
		case *GEMM[kernels.Float16]:
			if i.Engine == Go { continue }
			pl, _ := g.Plan(p, m, 4096, 4096)
			d := med(11, func(){ pl.Run(c, h, h) })
			fmt.Printf("%s %s m=%d %.1f GFLOP/s %.1f GB/s\n", i.Precision, i.Engine, m, 2*float64(m)*4096*4096/d/1e9, 2*4096*4096/d/1e9); pl.Close()
		}
		if i.Kernel != kernels.GEMM { break }
	}}
}
