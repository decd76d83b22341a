// SPDX-License-Identifier: GPL-2.0

//! Registers as types: where each is, and what its bits mean.
//!
//! [`register!`] has the form of the kernel crate's macro of that name. That one cannot be used here:
//! it needs the kernel, and these definitions are tested on the host, too. How a register is reached
//! is the business of whoever implements [`Io`] for the block that it belongs to.

use core::{
    fmt,
    marker::PhantomData, //
};

/// A block of registers at the start of a BAR.
pub trait Bar {
    /// Number of the BAR.
    const BAR: u32;
    /// Bytes that the BAR has at least.
    const BYTES: usize;
}

/// A way to the registers of block `B` that have the size of a `W`.
pub trait Io<B, W = u32> {
    /// Why a register cannot be reached.
    type Error;

    /// Reads the register at `offset`.
    ///
    /// # Errors
    ///
    /// The block cannot be reached.
    fn load(&self, offset: usize) -> Result<W, Self::Error>;

    /// Writes the register at `offset`.
    ///
    /// # Errors
    ///
    /// The block cannot be reached.
    fn store(&self, offset: usize, value: W) -> Result<(), Self::Error>;
}

/// The value of a register. Methods that reach a register make one access each; there is none that
/// reads and writes, as no register of the card keeps what the host has written.
pub trait Register: Copy + From<Self::Raw> + Into<Self::Raw> {
    /// The block that it belongs to.
    type Block;
    /// An integer of its size.
    type Raw: Default;

    /// A value with all bits 0.
    #[must_use]
    fn zeroed() -> Self {
        Self::from(Self::Raw::default())
    }

    /// The value of `field`.
    fn get<T: FieldType>(self, field: Field<Self, T>) -> T
    where
        Self: Register<Raw = u32>,
    {
        let raw: u32 = self.into();
        T::from_bits((raw & field.mask).wrapping_shr(field.low))
    }

    /// The same value with another one of `field`, whose surplus bits are dropped.
    #[must_use]
    fn with<T: FieldType>(self, field: Field<Self, T>, value: T) -> Self
    where
        Self: Register<Raw = u32>,
    {
        let raw: u32 = self.into();
        Self::from(raw & !field.mask | value.bits().wrapping_shl(field.low) & field.mask)
    }
}

/// A register at a fixed place.
pub trait FixedRegister: Register {
    /// Where it is in its block.
    const OFFSET: usize;

    /// Reads the register.
    ///
    /// # Errors
    ///
    /// Those of [`Io::load`].
    fn read<I: Io<Self::Block, Self::Raw>>(io: &I) -> Result<Self, I::Error> {
        io.load(Self::OFFSET).map(Self::from)
    }

    /// Writes the register.
    ///
    /// # Errors
    ///
    /// Those of [`Io::store`].
    fn write<I: Io<Self::Block, Self::Raw>>(self, io: &I) -> Result<(), I::Error> {
        io.store(Self::OFFSET, self.into())
    }
}

/// Registers of one kind in a row, numbered by an `Index` that was checked.
pub trait RegisterArray: Register {
    /// What numbers them.
    type Index: Copy + Into<u32>;
    /// Where the first is in its block.
    const OFFSET: usize;
    /// Bytes from one to the next.
    const STRIDE: usize;

    /// Where the one numbered `index` is in its block.
    fn offset(index: Self::Index) -> usize {
        let index: u32 = index.into();
        Self::OFFSET.saturating_add((index as usize).saturating_mul(Self::STRIDE))
    }

    /// Writes the register numbered `index`.
    ///
    /// # Errors
    ///
    /// Those of [`Io::store`].
    fn write_at<I: Io<Self::Block, Self::Raw>>(
        self,
        io: &I,
        index: Self::Index,
    ) -> Result<(), I::Error> {
        io.store(Self::offset(index), self.into())
    }
}

/// What a field holds.
pub trait FieldType: Copy {
    /// Interprets the bits of a field.
    fn from_bits(bits: u32) -> Self;
    /// The bits of the value.
    fn bits(self) -> u32;
}

impl FieldType for u32 {
    fn from_bits(bits: u32) -> Self {
        bits
    }

    fn bits(self) -> u32 {
        self
    }
}

impl FieldType for bool {
    fn from_bits(bits: u32) -> Self {
        bits != 0
    }

    fn bits(self) -> u32 {
        self.into()
    }
}

/// Adjacent bits of register `R` that hold a `T`.
pub struct Field<R, T> {
    mask: u32,
    low: u32,
    of: PhantomData<(R, T)>,
}

impl<R, T> Clone for Field<R, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, T> Copy for Field<R, T> {}

impl<R, T> Field<R, T> {
    /// Names the bits from `high` down to `low`, as [`register!`] does.
    pub const fn new(high: u32, low: u32) -> Self {
        assert!(low <= high && high < 32, "a field of 32 bits");
        let ones = u32::MAX.wrapping_shr(31u32.wrapping_sub(high.wrapping_sub(low)));
        Self {
            mask: ones.wrapping_shl(low),
            low,
            of: PhantomData,
        }
    }

    /// Returns the bits of the field in their places.
    pub const fn mask(self) -> u32 {
        self.mask
    }
}

impl<R, T> fmt::Debug for Field<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({:#x})", self.mask)
    }
}

/// Defines registers of 32 bits, which may have fields, and of 64 bits.
///
/// ```ignore
/// register! {
///     /// Says what the card does.
///     pub STATUS(u32) @ 0x10 in Boot {
///         /// Whether it is ready.
///         0:0 READY: bool;
///         /// How many errors there were.
///         15:8 ERRORS: u32;
///     }
///
///     /// Has the data of a slot.
///     pub DATA(u32)[Slot, stride = 4] @ 0x100 in Boot;
/// }
/// ```
///
/// `STATUS::read(&bar)?.get(STATUS::READY)` reads a field,
/// `STATUS::zeroed().with(STATUS::READY, true).write(&bar)?` writes one.
macro_rules! register {
    () => {};
    (
        $(#[$doc:meta])*
        pub $name:ident($raw:ident) @ $offset:literal in $block:ident
        $({ $($fields:tt)* })? $(;)?
        $($(#[$more:meta])+ pub $($rest:tt)*)?
    ) => {
        register!(@value [$(#[$doc])*] $name $raw $block { $($($fields)*)? });
        impl $crate::wire::register::FixedRegister for $name {
            const OFFSET: usize = $offset;
        }
        register!($($(#[$more])+ pub $($rest)*)?);
    };
    (
        $(#[$doc:meta])*
        pub $name:ident(u32)[$index:ty, stride = $stride:literal] @ $offset:literal in $block:ident
        $({ $($fields:tt)* })? $(;)?
        $($(#[$more:meta])+ pub $($rest:tt)*)?
    ) => {
        register!(@value [$(#[$doc])*] $name u32 $block { $($($fields)*)? });
        impl $crate::wire::register::RegisterArray for $name {
            type Index = $index;
            const OFFSET: usize = $offset;
            const STRIDE: usize = $stride;
        }
        register!($($(#[$more])+ pub $($rest)*)?);
    };
    (
        @value [$(#[$doc:meta])*] $name:ident $raw:ident $block:ident
        { $($(#[$field_doc:meta])+ $high:literal : $low:literal $field:ident : $ty:ty;)* }
    ) => {
        $(#[$doc])*
        #[allow(
            non_camel_case_types,
            clippy::upper_case_acronyms,
            reason = "as the kernel crate's macro names registers"
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name($raw);

        impl $name {
            $(
                $(#[$field_doc])+
                pub const $field: $crate::wire::register::Field<Self, $ty> =
                    $crate::wire::register::Field::new($high, $low);
            )*
        }

        impl From<$raw> for $name {
            fn from(raw: $raw) -> Self {
                Self(raw)
            }
        }

        impl From<$name> for $raw {
            fn from(value: $name) -> $raw {
                value.0
            }
        }

        impl $crate::wire::register::Register for $name {
            type Block = $block;
            type Raw = $raw;
        }
    };
}
pub(crate) use register;
