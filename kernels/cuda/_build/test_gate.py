"""The gate on a listing written by hand: what it takes for the loop, what it counts, what it finds wrong."""

import unittest

import rates
import sass
import table

LISTING = """
\t.section\t.text.gemm_x,"ax",@progbits
.text.gemm_x:
        /*0000*/                   MOV R1, c[0x0][0x28] ;
.L_x_1:
        /*0010*/                   FADD R4, R4, R5 ;
.L_x_0:
        /*0020*/                   LDS.U.128 R8, [R2] ;
        /*0030*/                   HMMA.16816.F32.BF16 R4, R8, R9, R4 ;
        /*0040*/               @P1 HMMA.16816.F32.BF16 R4, R8, R9, R4                  &req={1}   ?WAIT2_END_GROUP;
        /*0050*/                   HFMA2.MMA R3, -RZ, RZ, 0, 0 ;
        /*0060*/              @!P0 BRA `(.L_x_0) ;
        /*0070*/                   BRA.U UP0, `(.L_x_1) ;
        /*0080*/                   EXIT ;
.L_x_2:
        /*0090*/                   BRA `(.L_x_2) ;
\t.section\t.text.relu_x,"ax",@progbits
.text.relu_x:
        /*0000*/                   LDG.E.128.CONSTANT R4, [R2.64] ;
        /*0010*/                   LDG.E.128.CONSTANT R8, [R2.64+0x1000] ;
        /*0020*/                   MUFU.EX2 R4, R4 ;
        /*0030*/                   STG.E.128 [R2.64], R4 ;
        /*0040*/                   EXIT ;
.L_x_3:
        /*0050*/                   LDG.E.128 R4, [R2.64] ;
        /*0060*/                   LDL R4, [R1] ;
        /*0070*/                   EXIT ;
"""

USAGE = """
 Function gemm_x:
  REG:61 STACK:0 SHARED:16640 LOCAL:0 CONSTANT[0]:376 TEXTURE:0 SURFACE:0 SAMPLER:0
 Function relu_x:
  REG:20 STACK:8 SHARED:0 LOCAL:0 CONSTANT[0]:376 TEXTURE:0 SURFACE:0 SAMPLER:0
"""


class Gate(unittest.TestCase):
    def setUp(self):
        functions = sass.parse(LISTING, USAGE)
        self.gemm, self.relu = functions["gemm_x"], functions["relu_x"]

    def wrong(self, function, claim):
        return list(table.check(function.name, "8.0", function, claim))

    def test_the_measured_loop_is_the_innermost(self):
        self.assertEqual([i.address for i in self.gemm.measured_loop()], [0x20, 0x30, 0x40, 0x50, 0x60])

    def test_the_measured_block_has_the_most_wide_loads(self):
        self.assertEqual([i.address for i in self.relu.measured_block()], [0, 0x10, 0x20, 0x30, 0x40])

    def test_usage_is_read(self):
        self.assertEqual((self.gemm.registers, self.gemm.shared, self.gemm.spills), (61, 16640, 0))

    def test_what_is_claimed_passes(self):
        self.assertEqual(self.wrong(self.gemm, {"loop": {"HMMA.16816.F32": 2, "LDS.128": 1}}), [])

    def test_modifiers_count(self):
        self.assertEqual(self.wrong(self.gemm, {"loop": {"HMMA.16816.F32": 2, "HMMA.16816.F16": 0, "HMMA.BF16.F32": 0}}), [])

    def test_a_wrong_count_is_found(self):
        self.assertIn("2 HMMA.16816.F32 in the measured code, 3 claimed", self.wrong(self.gemm, {"loop": {"HMMA.16816.F32": 3}})[0])

    def test_arithmetic_that_is_not_claimed_is_found(self):
        self.assertIn("HMMA.16816.F32.BF16 in the measured loop", self.wrong(self.gemm, {"loop": {"FADD": 0}})[0])

    def test_no_claim_is_found(self):
        self.assertIn("no claim", self.wrong(self.gemm, None)[0])

    def test_spills_are_found(self):
        self.assertIn("9 spills", self.wrong(self.relu, {"block": {"LDG.E.128": 2}})[0])

    def test_claims_hold_up_to_the_next(self):
        held = {70: "a", 80: "b"}
        self.assertEqual([table.claim_for(held, a) for a in (50, 70, 75, 80, 120)], [None, "a", "a", "b", "b"])

    def test_flop_of_a_warp(self):
        # Four products of 8x8x4 are four steps with fp32 accumulators.
        self.assertEqual(4 * rates.flop("HMMA.884.F32.F32.STEP0")[0], 4 * 2 * 8 * 8 * 4)
        self.assertEqual(rates.flop("HMMA.16816.F32.BF16"), (4096, "bf16"))
        self.assertEqual(rates.flop("HMMA.1688.F32.TF32"), (2048, "tf32"))
        self.assertEqual(rates.flop("LDS.128"), (0, None))

    def test_shared_bytes_of_a_warp(self):
        of = {"LDS.U.128": 512, "LDS": 128, "LDSM.16.M88.4": 512, "LDSM.16.MT88.2": 256, "LDGSTS.E.BYPASS.128": 512, "STS.64": 256, "LDG.E.128": 0}
        self.assertEqual({n: rates.shared_bytes(sass.Instruction(0, n, "")) for n in of}, of)


if __name__ == "__main__":
    unittest.main()
