//! Functions compiled once for each width of vectors, the widest that the processor has being chosen at run time.

/// Declares a function over [`Element`](crate::Element)s whose body is compiled for AVX-512, for AVX2 with FMA and for
/// the target's baseline. The arithmetic is the same in each: nothing is contracted or reordered, so the bits are too.
macro_rules! vectorised {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident<$E:ident: Element $(, const $C:ident: $CT:ty)?>($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $visibility fn $name<$E: Element $(, const $C: $CT)?>($($arg: $type),*) {
            #[inline(always)]
            fn body<$E: Element $(, const $C: $CT)?>($($arg: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                fn v4<$E: Element $(, const $C: $CT)?>($($arg: $type),*) {
                    body::<$E $(, $C)?>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn v3<$E: Element $(, const $C: $CT)?>($($arg: $type),*) {
                    body::<$E $(, $C)?>($($arg),*)
                }
                let has_v3 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
                let has_v4 = is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq");
                if has_v3 && has_v4 {
                    // SAFETY: the processor has every feature that `v4` is compiled for, as just asked.
                    return unsafe { v4::<$E $(, $C)?>($($arg),*) };
                }
                if has_v3 {
                    // SAFETY: the processor has every feature that `v3` is compiled for, as just asked.
                    return unsafe { v3::<$E $(, $C)?>($($arg),*) };
                }
            }
            body::<$E $(, $C)?>($($arg),*)
        }
    };
}

pub(in crate::backend) use vectorised;
