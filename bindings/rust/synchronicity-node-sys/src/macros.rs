macro_rules! constants {
    ($($name:ident: $type:ty = $value:expr;)*) => {
        $(#[allow(missing_docs)] pub const $name: $type = $value;)*
        /// Every constant as a number, so that the tests compare them with the headers'.
        #[doc(hidden)]
        pub const CONSTANTS: &[(&str, u64)] = &[$((stringify!($name), $value as u64)),*];
    };
}

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])*
        #[repr(C)]
        pub struct $name {
            _bytes: [u8; 0],
            // Neither Send, Sync nor Unpin: the library alone knows what lies there.
            _marker: PhantomData<(*mut u8, PhantomPinned)>,
        })*
    };
}

/// The layout of one struct, for the tests.
macro_rules! visit_fields {
    ($visit:ident, $name:ident, $value:expr, $($field:ident: $type:ty),*) => {{
        let value: $name = $value;
        let start = &value as *const $name as usize;
        let fields = [$((
            stringify!($field),
            &value.$field as *const $type as usize - start,
            core::mem::size_of::<$type>(),
        )),*];
        $visit(stringify!($name), core::mem::size_of::<$name>(), &fields);
    }};
}

/// Structs that begin with their size and the version.
macro_rules! open_structs {
    ($($(#[$doc:meta])* struct $name:ident { $($field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct $name {
            pub struct_size: u32,
            pub abi_version: u32,
            $(pub $field: $type,)*
        }

        impl $name {
            /// A struct that is ready for a call: its size and version are set, the rest is zero.
            pub const fn new() -> Self {
                // Zero bytes are a value of every field: numbers, arrays of numbers, pointers, no function.
                let mut new: Self = unsafe { crate::macros::zeroed() };
                new.struct_size = core::mem::size_of::<Self>() as u32;
                new.abi_version = crate::SYNC_ABI_VERSION;
                new
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        })*

        pub(crate) fn visit_open(visit: &mut dyn FnMut(&str, usize, &[(&str, usize, usize)])) {
            $(visit_fields!(visit, $name, $name::new(), struct_size: u32, abi_version: u32 $(, $field: $type)*);)*
        }
    };
}

/// Structs that stand in arrays, and so never grow.
macro_rules! fixed_structs {
    ($($(#[$doc:meta])* struct $name:ident { $($field:ident: $type:ty,)* })*) => {
        $($(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct $name {
            $(pub $field: $type,)*
        })*

        pub(crate) fn visit_fixed(visit: &mut dyn FnMut(&str, usize, &[(&str, usize, usize)])) {
            $(visit_fields!(visit, $name, unsafe { crate::macros::zeroed() }, $($field: $type),*);)*
        }
    };
}

/// `core::mem::zeroed`, which is not `const` in the oldest Rust that this crate supports.
///
/// # Safety
///
/// Zero bytes are a value of the type.
pub(crate) const unsafe fn zeroed<T: Copy>() -> T {
    union Zero<T: Copy> {
        bytes: [u64; 64],
        value: T,
    }
    assert!(core::mem::size_of::<T>() <= 512);
    unsafe { Zero { bytes: [0; 64] }.value }
}
