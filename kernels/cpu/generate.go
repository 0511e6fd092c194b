package cpu

//go:generate go run -C _asm ./neon -out ..
//go:generate go run -C _asm ./fma -pkg cpu -out ../fma_amd64.s -stubs ../fma_amd64_stubs.go
//go:generate go run -C _asm ./gemm -pkg cpu -out ../gemm_amd64.s
//go:generate go run -C _asm ./elementwise -pkg cpu -out ../elementwise_amd64.s -list ../elementwise_amd64_stubs.go
//go:generate go run -C _asm ./bandwidth -pkg cpu -out ../bandwidth_amd64.s -stubs ../bandwidth_amd64_stubs.go
//go:generate go run -C _asm ./dot -family bf16 -pkg cpu -out ../gemm_bf16_amd64.s
//go:generate go run -C _asm ./dot -family fp16 -pkg cpu -out ../gemm_fp16_amd64.s
//go:generate go run -C _asm ./dot -family int8 -pkg cpu -out ../gemm_int8_amd64.s
//go:generate go run -C _asm ./linear -pkg cpu -out ../linear_amd64.s
//go:generate go run -C _asm ./rows -pkg cpu -out ../rows_amd64.s -list ../rows_amd64_stubs.go
//go:generate go run -C _asm ./adamw -pkg cpu -out ../adamw_amd64.s -list ../adamw_amd64_stubs.go
//go:generate go run -C _asm ./amx -pkg cpu -out ../gemm_amx_amd64.s
